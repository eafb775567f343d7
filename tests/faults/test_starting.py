"""How daemons start, what they wait for, and how a sleeping scheduler is woken."""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
import pytest

from tests.faults.installation import Installation, ahead
from tests.faults.processes import CronhookProcess, is_alive
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.services import PostgresServer, free_port


def test_an_older_schema_is_refused_and_the_command_named(installation: Installation) -> None:
    with psycopg.connect(installation.postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE cronhook_schema_version SET version_num = '0001'")
    with ExitStack() as stack:
        roles = ("api", "scheduler", "worker")
        for process in [stack.enter_context(CronhookProcess(role, settings=installation.settings)) for role in roles]:
            assert process.wait() == 1
            assert "cronhook migrate" in process.log().splitlines()[-1]
            assert "Traceback" not in process.log()


def test_a_database_that_is_away_is_waited_for(installation: Installation, own_postgres: PostgresServer) -> None:
    own_postgres.stop()
    port = free_port()
    settings = installation.settings | {"CRONHOOK_METRICS_PORT": str(port)}
    with (
        CronhookProcess("scheduler", settings=settings) as waiting,
        CronhookProcess("worker", settings=installation.settings) as ended,
    ):
        waiting.wait_for_line('"dependency_away"')
        assert is_alive(f"http://127.0.0.1:{port}")
        ended.wait_for_line('"dependency_away"')
        ended.terminate()
        assert ended.wait(10) == 0
        own_postgres.start()
        waiting.wait_for_line('"started"')
        assert len(waiting.events("dependency_away")) == len(waiting.events("dependency_back")) == 1


@pytest.mark.full
def test_a_port_that_is_taken_is_named_by_its_setting(installation: Installation) -> None:
    settings = installation.settings | {"CRONHOOK_METRICS_PORT": str(free_port())}
    with CronhookProcess("scheduler", settings=settings) as first:
        first.wait_for_line('"listening"')
        with CronhookProcess("worker", settings=settings) as second:
            assert second.wait() == 2
            assert "CRONHOOK_METRICS_PORT" in second.log().splitlines()[-1]


def test_a_scheduler_that_sleeps_is_woken_and_a_retry_comes_when_due(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    installation.open("scheduler", "worker")
    installation.create(run_at=ahead(seconds=0.9), callback_url=scripted_receiver.url("/ok"))
    installation.create(
        run_at=ahead(seconds=1.1), callback_url=scripted_receiver.url("/status/500"), retry_delays_seconds=[2]
    )
    arrivals = scripted_receiver.wait_for(3)
    planned = [arrival for arrival in arrivals if arrival.attempt_no == 1]
    assert max((a.received_at - a.scheduled_for).total_seconds() for a in planned) < 0.25
    (due,) = installation.rows("SELECT next_attempt_at FROM job_logs WHERE attempt_no = 1 AND outcome <> 'succeeded'")
    (retry,) = (arrival for arrival in arrivals if arrival.attempt_no == 2)
    assert 0 <= (retry.received_at - due[0]).total_seconds() < 0.25

"""How daemons start, what they wait for, and how a sleeping scheduler is woken."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from importlib import metadata

import psycopg
import pytest
import redis

from tests.faults.installation import Installation, ahead
from tests.faults.processes import CronhookProcess, is_alive
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.services import PostgresServer, ValkeyServer, free_port, wait_until


@pytest.mark.suite("faults")
def test_a_schema_that_is_not_there_is_refused_and_the_command_named(installation: Installation) -> None:
    with psycopg.connect(installation.postgres_url, autocommit=True) as connection:
        connection.execute("DELETE FROM cronhook_schema_version")
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


@pytest.mark.suite("faults")
def test_a_database_that_lets_nobody_in_is_not_waited_for(
    installation: Installation, own_postgres: PostgresServer
) -> None:
    rules = own_postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        try:
            for stranger in ("guarded:wr0ng", "guarded", "nobody_known"):
                url = installation.postgres_url.replace("postgres@", f"{stranger}@")
                with CronhookProcess(
                    "worker", settings=installation.settings | {"CRONHOOK_DATABASE_URL": url}
                ) as ended:
                    assert ended.wait() == 2
                    assert "CRONHOOK_DATABASE_URL" in ended.log().splitlines()[-1]
                    assert "wr0ng" not in ended.log()
        finally:
            rules.write_text(before)
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("DROP ROLE guarded")


@pytest.mark.suite("faults")
def test_a_redis_that_may_delete_the_lease_is_warned_of(installation: Installation, own_valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.config_set("maxmemory-policy", "volatile-lru")
        try:
            evicting = [installation.start(role) for role in ("api", "scheduler", "worker")]
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    for process in evicting:
        assert ["noeviction" in event["reason"] for event in process.events("attention")] == [True]
    assert installation.start("scheduler").events("attention") == []


@pytest.mark.full
def test_a_port_that_is_taken_is_named_by_its_setting(installation: Installation) -> None:
    settings = installation.settings | {"CRONHOOK_METRICS_PORT": str(free_port())}
    with CronhookProcess("scheduler", settings=settings) as first:
        first.wait_for_line('"listening"')
        with CronhookProcess("worker", settings=settings) as second:
            assert second.wait() == 1, "a supervisor tries again"
            assert "CRONHOOK_METRICS_PORT" in second.log().splitlines()[-1]


@pytest.mark.suite("faults")
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


@pytest.mark.suite("faults")
def test_other_time_zone_rules_move_the_instants_of_cron_jobs(installation: Installation) -> None:
    installation.open()
    noon = {"cron": "0 12 * * *", "timezone": "Europe/Berlin", "callback_url": "https://receiver.example/hook"}
    jobs = [installation.create(**noon) for _ in range(3)]
    with psycopg.connect(installation.postgres_url, autocommit=True) as connection:
        for table, name in (("jobs", "id"), ("timetable", "job_id")):
            later = f"UPDATE {table} SET next_run = next_run + interval '1 hour' WHERE {name} <> %s"
            connection.execute(later, [jobs[0]["id"]])
        connection.execute("INSERT INTO meta (key, value) VALUES ('zone_rules', '2019.3')")
    schedulers = [installation.start("scheduler"), installation.start("scheduler")]
    installation.wait_for_rows("SELECT 1 FROM meta WHERE key = 'zone_rules' AND value <> '2019.3'")
    moved = dict(installation.rows("SELECT id, next_run FROM jobs"))
    assert moved == {job["id"]: datetime.fromisoformat(job["next_run"]) for job in jobs}
    wait_until(lambda: any(s.events("zone_rules") for s in schedulers), 5, "it is told")
    (told,) = [event for scheduler in schedulers for event in scheduler.events("zone_rules")]
    assert (told["before"], told["after"], told["jobs_moved"]) == ("2019.3", metadata.version("tzdata"), 2)

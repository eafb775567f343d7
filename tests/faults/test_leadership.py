"""One of several schedulers leads; when it ends, however it does, another plans soon and nothing is planned twice."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.installation import SCHEDULERS, WORKERS, Installation, Load, ahead, creation, leader, leaders, metrics
from tests.faults.processes import CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import verdict
from tests.integration.postgres.nodes import hung
from tests.services import PostgresServer, ValkeyServer, wait_until

PLANNED_AFTER = "SELECT min(at) FROM fault_transitions WHERE old_status IS NULL AND at > %s HAVING count(*) > 0"
WRITERS = "SELECT written_by, count(*)::int FROM fault_transitions WHERE at BETWEEN %s AND %s GROUP BY written_by"


def next_plan_after(installation: Installation, moment: datetime) -> float:
    """Seconds from the moment to the first execution planned after it."""
    ((planned,),) = installation.wait_for_rows(PLANNED_AFTER, moment, seconds=10)
    return float((planned - moment).total_seconds())


def wait_for_next_leader(schedulers: list[CronhookProcess], before: CronhookProcess) -> CronhookProcess:
    others = [scheduler for scheduler in schedulers if scheduler is not before]
    wait_until(lambda: len(leaders(others)) == 1, 10, "another scheduler leads")
    return leader(others)


@pytest.mark.suite("faults")
def test_exactly_one_leads_and_another_plans_after_a_kill(
    installation: Installation, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    schedulers = installation.open(*SCHEDULERS, *WORKERS)[1:4]
    lasted = []
    with Load(installation, scripted_receiver.url("/ok"), per_second=20) as load:
        for _ in range(50 if full else 2):
            leading = leader(schedulers)
            scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 5)
            moment = datetime.now(UTC)
            leading.kill()
            lasted.append(next_plan_after(installation, datetime.now(UTC)))
            print(f"next plan {lasted[-1]:.3f} s after the kill at {moment.time()}")
            wait_for_next_leader(schedulers, leading)
            installation.again(leading)
    assert max(lasted) <= 2.0
    assert statistics.median(lasted) <= 1.5
    assert verdict(installation, scripted_receiver, load.acts) == []


@pytest.mark.full
def test_a_leader_that_is_asked_to_end_hands_over_at_once(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    schedulers = installation.open(*SCHEDULERS, *WORKERS)[1:4]
    lasted = []
    with Load(installation, scripted_receiver.url("/ok"), per_second=50) as load:
        for _ in range(10):
            leading = leader(schedulers)
            scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 5)
            moment = datetime.now(UTC)
            leading.terminate()
            following = wait_for_next_leader(schedulers, leading)
            (resigned,) = [e for e in leading.events("leadership") if not e["leads"]][-1:]
            took_over = [e for e in following.events("leadership") if e["leads"]][-1]
            led_after = seconds_between(moment, took_over["timestamp"])
            lasted.append(led_after + next_plan_after(installation, datetime.fromisoformat(took_over["timestamp"])))
            print(f"another leads {led_after:.3f} s after the signal, and plans after {lasted[-1]:.3f} s")
            assert resigned["reason"] == "it stops"
            assert leading.wait() == 0
            installation.again(leading)
    assert max(lasted) <= 0.3, lasted
    assert verdict(installation, scripted_receiver, load.acts) == []


@pytest.mark.full
def test_a_leader_that_stood_still_steps_down_and_writes_nothing(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    """Each scheduler is known to Postgres by a name of its own."""
    installation.open(*WORKERS)
    url = installation.settings["CRONHOOK_DATABASE_URL"]
    named = {f"scheduler-{n}": f"{url}?application_name=scheduler-{n}" for n in range(3)}
    schedulers = {name: installation.start("scheduler", CRONHOOK_DATABASE_URL=own) for name, own in named.items()}
    began = datetime.now(UTC)
    with Load(installation, scripted_receiver.url("/ok"), per_second=20) as load:
        leading = leader([*schedulers.values()])
        (name,) = [name for name, scheduler in schedulers.items() if scheduler is leading]
        scripted_receiver.wait_for(5)
        leading.suspend()
        suspended, stood_still = datetime.now(UTC), time.monotonic()
        size = leading.log_size()
        wait_for_next_leader([*schedulers.values()], leading)
        rest = 10 - (time.monotonic() - stood_still)
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + int(20 * max(rest, 0.5)), 30)
        resumed = datetime.now(UTC)
        leading.resume()
        leading.wait_for_line(r'"leadership", ?"leads": ?false', 5, after=size)
        assert metrics(leading)["cronhook_leader"] == 0
        following = leader([*schedulers.values()])
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 40)
    (following_name,) = [name for name, scheduler in schedulers.items() if scheduler is following]
    assert dict(installation.rows(WRITERS, began, suspended))[name] > 0
    writers = dict(installation.rows(WRITERS, resumed, datetime.now(UTC)))
    assert writers[following_name] > 0
    assert name not in writers
    assert verdict(installation, scripted_receiver, load.acts) == []


@pytest.mark.full
def test_eight_that_plan_without_a_lock_make_one_execution_each(
    installation: Installation, own_valkey: ValkeyServer, scripted_receiver: ScriptedReceiver
) -> None:
    """500 jobs, 25 at each of 20 successive seconds."""
    own_valkey.kill()
    _, *schedulers, _ = installation.open(*["scheduler"] * 8, "worker")
    for scheduler in schedulers:
        scheduler.wait_for_line('"dependency_away"')
    first, acts = ahead(seconds=60), []
    for second in range(20):
        for _ in range(25):
            asked_at = ahead()
            run_at = first + timedelta(seconds=second)
            acts.append(
                creation(installation.create(run_at=run_at, callback_url=scripted_receiver.url("/ok")), asked_at)
            )
    assert ahead() < first
    assert verdict(installation, scripted_receiver, acts, within=120) == []
    assert installation.rows("SELECT count(*), count(DISTINCT job_id) FROM executions") == [(500, 500)]


def test_without_redis_another_plans_as_soon(
    installation: Installation, own_postgres: PostgresServer, scripted_receiver: ScriptedReceiver
) -> None:
    """Killed, asked to end, and after a restart of the server that carries all."""
    del installation.settings["CRONHOOK_REDIS_URL"]
    _, *schedulers, _ = installation.open("scheduler", "scheduler", "worker")
    with Load(installation, scripted_receiver.url("/between/0.2/1/ok"), per_second=20) as load:
        killed = leader(schedulers)
        scripted_receiver.wait_for(5)
        killed.kill()
        planned_in = next_plan_after(installation, datetime.now(UTC))
        asked = wait_for_next_leader(schedulers, killed)
        installation.again(killed)
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 5)
        moment = datetime.now(UTC)
        asked.terminate()
        took_over = [e for e in wait_for_next_leader(schedulers, asked).events("leadership") if e["leads"]][-1]
        handed_over_in = seconds_between(moment, took_over["timestamp"])
        assert asked.wait() == 0
        installation.again(asked)
        own_postgres.restart("fast")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 40)
    print(f"next plan {planned_in:.3f} s after the kill, handed over {handed_over_in:.3f} s after the signal")
    assert planned_in <= 2.0
    assert handed_over_in <= 0.3
    assert verdict(installation, scripted_receiver, load.acts) == []


@pytest.mark.suite("faults")
def test_a_second_signal_ends_a_scheduler_that_cannot_end(
    installation: Installation, own_postgres: PostgresServer
) -> None:
    """It waits for a pass whose statement is never answered; the database would be given up after some seconds."""
    scheduler = installation.start("scheduler")
    with hung(own_postgres):
        scheduler.wait_for_line(r'"leadership", ?"leads": ?false')
        size = scheduler.log_size()
        scheduler.terminate()
        scheduler.wait_for_line('"stopping"', after=size)
        scheduler.terminate()
        assert scheduler.wait(5) == 0
    assert scheduler.events("stopped")


def seconds_between(moment: datetime, timestamp: str) -> float:
    return (datetime.fromisoformat(timestamp) - moment).total_seconds()

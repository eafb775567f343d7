"""Redis and Postgres go away under load and come back: nothing is lost, nothing is repeated, nobody is restarted."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from tests.faults.installation import Installation, Load, ahead, metrics
from tests.faults.processes import CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.services import PostgresServer, ValkeyServer, wait_until

ROLES = ("scheduler", "scheduler", "worker", "worker")


def assert_all_once(installation: Installation, load: Load, receiver: ScriptedReceiver) -> None:
    """What was stored has one execution each, and one arrival each. What was stored without an answer may be there."""
    installation.wait_until_done(60)
    jobs = Counter(job for (job,) in installation.rows("SELECT job_id FROM executions"))
    assert set(jobs.values()) == {1}
    assert set(load.stored) <= set(jobs)
    assert Counter(arrival.job_id for arrival in receiver.arrivals) == jobs


def assert_nothing_unforeseen(processes: list[CronhookProcess]) -> None:
    for process in processes:
        assert process.running
        assert "Traceback" not in process.log()
        assert process.events("pass_failed") == []


def lateness(receiver: ScriptedReceiver) -> list[float]:
    return [(a.received_at - a.scheduled_for).total_seconds() for a in receiver.arrivals]


PER_SECOND = 40


@pytest.mark.parametrize(("how", "seconds"), [("killed", 3), ("hung", 10)])
def test_redis_gone_under_load_costs_little(
    installation: Installation,
    own_valkey: ValkeyServer,
    scripted_receiver: ScriptedReceiver,
    how: str,
    seconds: int,
    full: bool,
) -> None:
    processes = installation.open(*ROLES)
    scheduler = processes[1]
    away = PER_SECOND * (60 if full else seconds)
    with Load(installation, scripted_receiver.url("/between/0.2/1/ok"), per_second=PER_SECOND) as load:
        scripted_receiver.wait_for(40)
        (own_valkey.kill if how == "killed" else own_valkey.suspend)()
        wait_until(lambda: metrics(scheduler)["cronhook_redis_up"] == 0, 5, "the scheduler has noticed")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + away, 100)
        (own_valkey.start if how == "killed" else own_valkey.resume)()
        wait_until(lambda: metrics(scheduler)["cronhook_redis_up"] == 1, 10, "the scheduler has noticed again")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 40)
    assert_all_once(installation, load, scripted_receiver)
    late = statistics.quantiles(lateness(scripted_receiver), n=100)
    worst = max(lateness(scripted_receiver))
    print(f"lateness: median {late[49]:.3f} s, 99th percentile {late[98]:.3f} s, worst {worst:.3f} s")
    assert late[98] <= 1.5
    assert_nothing_unforeseen(processes)
    away = [event["name"] for event in scheduler.events("dependency_away")]
    assert Counter(away) == Counter(event["name"] for event in scheduler.events("dependency_back"))


def restarted_under_load(
    installation: Installation, receiver: ScriptedReceiver, restart: Callable[[], None]
) -> tuple[list[CronhookProcess], Load, float]:
    """Also: the seconds from when Postgres was back until a job stored then had arrived."""
    processes = installation.open(*ROLES)
    with Load(installation, receiver.url("/between/0.2/1/ok"), per_second=40, ahead_seconds=2) as load:
        receiver.wait_for(40)
        restart()
        back_at = time.monotonic()
        healthy_in = arrival_of_a_new_job(installation, receiver, back_at)
        receiver.wait_for(len(receiver.arrivals) + 40)
    return processes, load, healthy_in


def arrival_of_a_new_job(installation: Installation, receiver: ScriptedReceiver, since: float) -> float:
    job_id = ""

    def stored() -> bool:
        nonlocal job_id
        try:
            job_id = installation.create(run_at=ahead(), callback_url=receiver.url("/ok"))["id"]
        except httpx.HTTPError:
            return False
        return True

    wait_until(stored, 20, "a job can be stored")
    wait_until(lambda: any(a.job_id == job_id for a in receiver.arrivals), 20, "it arrives")
    return time.monotonic() - since


@pytest.mark.full
def test_postgres_restarted_under_load_repeats_nothing(
    installation: Installation, own_postgres: PostgresServer, scripted_receiver: ScriptedReceiver
) -> None:
    processes, load, healthy_in = restarted_under_load(installation, scripted_receiver, own_postgres.restart)
    print(f"healthy {healthy_in:.3f} s after Postgres was back")
    assert healthy_in <= 5
    assert_all_once(installation, load, scripted_receiver)
    assert_nothing_unforeseen(processes)

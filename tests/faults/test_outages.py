"""Redis and Postgres go away under load and come back: nothing is lost, nothing is repeated, nobody is restarted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import httpx
import pytest

from tests.faults.installation import SCHEDULERS, WORKERS, Installation, Load, ahead, creation, metrics
from tests.faults.processes import CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import verdict
from tests.services import PostgresServer, ValkeyServer, wait_until


def assert_nothing_unforeseen(processes: list[CronhookProcess]) -> None:
    for process in processes:
        assert process.running
        assert "Traceback" not in process.log()
        assert process.events("pass_failed") == []


def lateness(receiver: ScriptedReceiver) -> list[float]:
    return [(a.received_at - a.scheduled_for).total_seconds() for a in receiver.arrivals]


PER_SECOND = 40


@pytest.mark.parametrize(("how", "seconds"), [("killed", 3), pytest.param("hung", 10, marks=pytest.mark.full)])
def test_redis_gone_under_load_costs_little(
    installation: Installation,
    own_valkey: ValkeyServer,
    scripted_receiver: ScriptedReceiver,
    how: str,
    seconds: int,
    full: bool,
) -> None:
    processes = installation.open(*SCHEDULERS, *WORKERS)
    scheduler = processes[1]
    lasts = 60 if full else seconds
    with Load(installation, scripted_receiver.url("/between/0.2/1/ok"), per_second=PER_SECOND) as load:
        scripted_receiver.wait_for(40)
        (own_valkey.kill if how == "killed" else own_valkey.suspend)()
        wait_until(lambda: metrics(scheduler)["cronhook_redis_up"] == 0, 5, "the scheduler has noticed")
        stay_so(lasts, scripted_receiver)
        (own_valkey.start if how == "killed" else own_valkey.resume)()
        wait_until(lambda: metrics(scheduler)["cronhook_redis_up"] == 1, 10, "the scheduler has noticed again")
        scripted_receiver.wait_for(len(scripted_receiver.arrivals) + 40)
    assert verdict(installation, scripted_receiver, load.acts, lateness=timedelta(seconds=1.5)) == []
    late = statistics.quantiles(lateness(scripted_receiver), n=100)
    worst = max(lateness(scripted_receiver))
    print(f"lateness: median {late[49]:.3f} s, 99th percentile {late[98]:.3f} s, worst {worst:.3f} s")
    assert late[98] <= 1.5
    assert_nothing_unforeseen(processes)
    for process in processes[1:]:
        told = [(event["event"], event["name"]) for event in process.events() if "dependency" in event["event"]]
        assert told == [("dependency_away", "redis"), ("dependency_back", "redis")]


def stay_so(seconds: float, receiver: ScriptedReceiver) -> None:
    """Let a fault last, with deliveries until its end: on a busy machine the load is what it can be."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + 10, "the fault has lasted long enough")
    receiver.wait_for(len(receiver.arrivals) + PER_SECOND // 4, 30)


def restarted_under_load(
    installation: Installation, receiver: ScriptedReceiver, restart: Callable[[], None]
) -> tuple[list[CronhookProcess], Load, float]:
    """Also: the seconds from when Postgres was back until a job stored then had arrived."""
    processes = installation.open(*SCHEDULERS, *WORKERS)
    with Load(installation, receiver.url("/between/0.2/1/ok"), per_second=40, ahead_seconds=2) as load:
        receiver.wait_for(40)
        restart()
        back_at = time.monotonic()
        healthy_in = arrival_of_a_new_job(installation, receiver, load, back_at)
        receiver.wait_for(len(receiver.arrivals) + 40)
    return processes, load, healthy_in


def arrival_of_a_new_job(installation: Installation, receiver: ScriptedReceiver, load: Load, since: float) -> float:
    job_id = ""

    def stored() -> bool:
        nonlocal job_id
        asked_at = ahead()
        try:
            job = installation.create(run_at=asked_at, callback_url=receiver.url("/ok"))
        except httpx.HTTPError:
            return False
        load.acts.append(creation(job, asked_at))
        job_id = job["id"]
        return True

    wait_until(stored, 20, "a job can be stored")
    wait_until(lambda: any(a.job_id == job_id for a in receiver.arrivals), 20, "it arrives")
    return time.monotonic() - since


@pytest.mark.parametrize("mode", [pytest.param("fast", marks=pytest.mark.full), "immediate"])
def test_postgres_restarted_under_load_repeats_nothing(
    installation: Installation,
    own_postgres: PostgresServer,
    scripted_receiver: ScriptedReceiver,
    mode: Literal["fast", "immediate"],
) -> None:
    processes, load, healthy_in = restarted_under_load(
        installation, scripted_receiver, lambda: own_postgres.restart(mode)
    )
    print(f"healthy {healthy_in:.3f} s after Postgres was back")
    assert healthy_in <= 5
    assert verdict(installation, scripted_receiver, load.acts) == []
    assert_nothing_unforeseen(processes)

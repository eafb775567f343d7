"""Whoever leads, dies in the middle of planning, or only believes to lead: every instant is planned, once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.faults.installation import SCHEDULERS, Installation, Load, ahead, leader
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import allowed, verdict
from tests.services import ValkeyServer, wait_until

THREE_STARTS = 15.0
"""Seconds; the first two leaders die before they have planned anything."""
PLANNED = "SELECT count(*) FROM executions"


@contextmanager
def a_zombie_leads(server: ValkeyServer, key: str) -> Iterator[None]:
    """Somebody holds the lease, renews it, and never plans."""
    ended = threading.Event()

    def renew() -> None:
        with redis.Redis.from_url(server.url) as client:
            while not ended.wait(0.1):
                client.set(key, "a zombie's token", px=1500)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.suite("faults")
def test_a_leader_that_is_stuck_is_helped_loudly(
    installation: Installation, own_valkey: ValkeyServer, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    prefix = installation.settings["CRONHOOK_REDIS_PREFIX"]
    with a_zombie_leads(own_valkey, f"{prefix}:lock:scheduler"):
        _, *schedulers, _ = installation.open(*SCHEDULERS[: 3 if full else 2], "worker")
        act = installation.stored(run_at=ahead(seconds=0.5), callback_url=scripted_receiver.url("/ok"))
        (arrival,) = scripted_receiver.wait_for(1)
    assert (arrival.received_at - arrival.scheduled_for).total_seconds() <= 4.0
    assert [event["leads"] for scheduler in schedulers for event in scheduler.events("leadership")].count(True) <= 1
    loud = [event for scheduler in schedulers for event in scheduler.events("leader_stuck")]
    assert loud
    assert {event["level"] for event in loud} == {"error"}
    assert verdict(installation, scripted_receiver, [act], lateness=allowed(full, 4)) == []


@pytest.mark.suite("faults")
def test_a_leader_whose_planning_hangs_gives_the_lead_away(
    installation: Installation, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    """Its lock answers, its database does, and one statement never ends."""
    hanging = installation.start("scheduler", failpoints="store.plan.before=sleep:600@1")
    leader([hanging])
    _, following, _ = installation.open("scheduler", "worker")
    with Load(installation, scripted_receiver.url("/ok"), per_second=5, ahead_seconds=0.5) as load:
        arrivals = scripted_receiver.wait_for(10)
    first = min(arrivals, key=lambda arrival: arrival.scheduled_for)
    assert (first.received_at - first.scheduled_for).total_seconds() <= 4.0
    assert [event["point"] for event in hanging.events("failpoint")] == ["store.plan.before"]
    assert hanging.events("leadership")[-1]["reason"] == "its planning hangs"
    assert leader([hanging, following]) is following
    assert verdict(installation, scripted_receiver, load.acts, lateness=allowed(full, 4)) == []


@pytest.mark.full
def test_one_leader_after_the_other_dies_within_a_plan(
    installation: Installation, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    """Before the statement, after it and before the push, and after the push."""
    installation.open("worker")
    points = ("store.due_jobs.after", "store.plan.before", "store.plan.after", "queue.push.before", "queue.push.after")
    with Load(installation, scripted_receiver.url("/between/0.2/0.5/ok"), per_second=40) as load:
        for point in points:
            dying = installation.start("scheduler", failpoints=f"{point}=kill@1")
            assert dying.wait() == -signal.SIGKILL
            assert [event["point"] for event in dying.events("failpoint")] == [point]
        installation.start("scheduler")
        scripted_receiver.wait_for(60)
    assert verdict(installation, scripted_receiver, load.acts, lateness=allowed(full, THREE_STARTS)) == []


@pytest.mark.parametrize("count", [2, pytest.param(8, marks=pytest.mark.full)])
def test_schedulers_that_all_believe_to_lead_only_waste_work(
    installation: Installation, own_valkey: ValkeyServer, scripted_receiver: ScriptedReceiver, count: int, full: bool
) -> None:
    """While the lock cannot be reached every scheduler plans."""
    own_valkey.kill()
    _, *schedulers, _ = installation.open(*["scheduler"] * count, "worker")
    for scheduler in schedulers:
        scheduler.wait_for_line('"dependency_away".*"redis"')
    with Load(installation, scripted_receiver.url("/ok"), per_second=40) as load:
        scripted_receiver.wait_for(30)
    assert verdict(installation, scripted_receiver, load.acts, lateness=allowed(full, 1.5)) == []
    wait_until(lambda: installation.rows(PLANNED) == [(len(load.stored),)], 5, "one execution each")

"""Workers that die, that are asked to end, and that share their slots between a slow host and a fast one."""

from __future__ import annotations

import signal
import statistics
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.faults.chaos_proxy import ChaosBoard, Mode
from tests.faults.history import Act, Arrival
from tests.faults.installation import Installation, ahead, creation, metrics
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import hard, verdict
from tests.services import ValkeyServer, wait_until

SENDS = 50
DEPLOYS = 4


def created(installation: Installation, **fields: Any) -> Act:
    asked_at = ahead()
    return creation(installation.create(**fields), asked_at)


def lateness(arrival: Arrival) -> float:
    return (arrival.received_at - arrival.scheduled_for).total_seconds()


def test_a_worker_killed_in_mid_post_loses_nothing(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    _, _, worker, other = installation.open("scheduler", "worker", "worker")
    other.kill()
    faults = [hard("kill -9", 0, other, began=ahead())]
    acts = [
        created(installation, run_at=ahead(seconds=1), callback_url=scripted_receiver.url("/slow/3")) for _ in range(5)
    ]
    scripted_receiver.wait_for(5)
    killed_at = ahead()
    worker.kill()
    faults.append(hard("kill -9", len(acts), worker, began=killed_at))
    installation.again(other)
    arrivals = scripted_receiver.wait_for(10, 20)
    assert {arrival.attempt_no for arrival in arrivals[5:]} == {2}
    assert max((arrival.received_at - killed_at).total_seconds() for arrival in arrivals) <= 12
    assert verdict(installation, scripted_receiver, acts, faults=faults) == []
    assert Counter(arrival.job_id for arrival in scripted_receiver.arrivals) == {act.job_id: 2 for act in acts}
    assert installation.rows("SELECT DISTINCT status, losses, retries_used FROM executions") == [("succeeded", 1, 0)]


@pytest.mark.suite("faults")
@pytest.mark.parametrize("how", ["killed", pytest.param("hung", marks=pytest.mark.full)])
def test_a_worker_killed_while_redis_is_away_loses_nothing(
    installation: Installation, own_valkey: ValkeyServer, scripted_receiver: ScriptedReceiver, how: str
) -> None:
    """Nobody can lead then: what it had under way is taken from it all the same, as soon as ever."""
    _, scheduler, _, worker = installation.open("scheduler", "scheduler", "worker")
    (own_valkey.kill if how == "killed" else own_valkey.suspend)()
    wait_until(lambda: metrics(scheduler)["cronhook_redis_up"] == 0, 5, "the scheduler has noticed")
    url = scripted_receiver.url("/slow/3")
    acts = [created(installation, run_at=ahead(seconds=1), callback_url=url) for _ in range(5)]
    scripted_receiver.wait_for(5)
    killed_at = ahead()
    worker.kill()
    fault = hard("kill -9", len(acts), worker, began=killed_at)
    installation.again(worker)
    arrivals = scripted_receiver.wait_for(10, 20)
    (own_valkey.start if how == "killed" else own_valkey.resume)()
    assert {arrival.attempt_no for arrival in arrivals[5:]} == {2}
    assert max((arrival.received_at - killed_at).total_seconds() for arrival in arrivals) <= 12
    assert verdict(installation, scripted_receiver, acts, faults=[fault]) == []
    assert installation.rows("SELECT DISTINCT status, losses, retries_used FROM executions") == [("succeeded", 1, 0)]


@pytest.mark.full
def test_a_worker_that_is_asked_to_end_lets_its_sends_end(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    _, _, worker = installation.open("scheduler", "worker")
    due = ahead(seconds=2)
    acts = [
        created(installation, run_at=due, callback_url=scripted_receiver.url("/slow/4"), timeout_seconds=10)
        for _ in range(SENDS)
    ]
    scripted_receiver.wait_for(SENDS)
    worker.terminate()
    later = created(installation, run_at=ahead(seconds=0.2), callback_url=scripted_receiver.url("/ok"))
    assert worker.wait(15) == 0
    attempts = "SELECT status, attempt_no FROM executions WHERE job_id = %s"
    assert installation.rows(attempts, later.job_id) == [("queued", 0)]  # planned, and not claimed any more
    assert Counter(installation.rows("SELECT status FROM executions WHERE job_id <> %s", later.job_id)) == {
        ("succeeded",): SENDS
    }
    assert installation.rows("SELECT count(*) FROM workers WHERE buried_at IS NULL") == [(0,)]
    installation.again(worker)
    assert verdict(installation, scripted_receiver, [*acts, later]) == []
    assert set(Counter(arrival.job_id for arrival in scripted_receiver.arrivals).values()) == {1}
    assert installation.rows("SELECT sum(losses), sum(releases) FROM executions") == [(0, 0)]


@pytest.mark.full
def test_a_second_signal_ends_a_worker_at_once(installation: Installation, scripted_receiver: ScriptedReceiver) -> None:
    _, _, worker = installation.open("scheduler", "worker")
    installation.create(run_at=ahead(), callback_url=scripted_receiver.url("/slow/8"))
    scripted_receiver.wait_for(1)
    size = worker.log_size()
    worker.terminate()
    worker.wait_for_line('"stopping"', after=size)
    worker.signal(signal.SIGTERM)
    assert worker.wait(4) == 0
    assert installation.rows("SELECT status, losses FROM executions") == [("queued", 0)]
    assert installation.rows("SELECT outcome FROM job_logs") == [("interrupted",)]


@pytest.mark.full
def test_deploys_during_one_slow_send_do_not_fail_it(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    """The grace ends before the receiver answers, more often than an execution may be lost."""
    installation.open("scheduler")
    act = installation.stored(run_at=ahead(), callback_url=scripted_receiver.url("/slow/5"), timeout_seconds=10)
    for number in range(1, DEPLOYS + 1):
        worker = installation.start("worker", CRONHOOK_DRAIN_TIMEOUT_SECONDS="1")
        scripted_receiver.wait_for(number)
        worker.terminate()
        assert worker.wait(10) == 0
    installation.start("worker")
    assert verdict(installation, scripted_receiver, [act]) == []
    assert installation.rows("SELECT status, losses, retries_used FROM executions") == [("succeeded", 0, 0)]
    outcomes = installation.rows("SELECT outcome FROM job_logs ORDER BY attempt_no")
    assert outcomes == [("interrupted",)] * DEPLOYS + [("succeeded",)]
    assert [arrival.attempt_no for arrival in scripted_receiver.arrivals] == list(range(1, DEPLOYS + 2))


@pytest.mark.full
def test_a_slow_host_leaves_the_others_alone(installation: Installation, scripted_receiver: ScriptedReceiver) -> None:
    count = 1000
    installation.open("scheduler", "worker")

    def herd(due: datetime, path: str, host: str) -> None:
        for _ in range(count):
            installation.create(run_at=due, callback_url=scripted_receiver.url(path, host))

    def of_fast_host() -> list[float]:
        fast = installation.rows("SELECT id FROM jobs WHERE host LIKE '127.0.0.1%%'")
        ids = {job_id for (job_id,) in fast}
        return [lateness(arrival) for arrival in scripted_receiver.arrivals if arrival.job_id in ids]

    began = time.monotonic()
    herd(ahead(seconds=60), "/ok", "127.0.0.1")
    stored_in = time.monotonic() - began
    installation.wait_until_done(120)
    alone = of_fast_host()
    due = ahead(seconds=10 + 4 * stored_in)
    herd(due, "/slow/5", "127.0.0.2")
    herd(due, "/ok", "127.0.0.1")
    assert ahead() < due
    installation.wait_until_done(240)
    beside = of_fast_host()[count:]
    print(f"lateness of the fast host: alone {statistics.quantiles(alone, n=100)[98]:.3f} s at the 99th percentile, ")
    print(f"beside the slow one {statistics.quantiles(beside, n=100)[98]:.3f} s")
    assert len(alone) == len(beside) == count
    assert statistics.quantiles(beside, n=100)[98] <= statistics.quantiles(alone, n=100)[98] + 0.5


@pytest.mark.full
def test_large_payloads_over_a_slow_link_hold_up_nothing(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    """Three hundred of 256 KiB, over 8 MB a second between Postgres and the worker, beside small ones."""
    installation.open("scheduler")
    payload = "x" * (256 * 1024 - 2)
    url = scripted_receiver.url("/ok", "127.0.0.2")
    acts = [created(installation, run_at=ahead(seconds=0.1), callback_url=url, payload=payload) for _ in range(300)]
    small_url = scripted_receiver.url("/ok")
    with ChaosBoard() as board:
        database = installation.settings["CRONHOOK_DATABASE_URL"]
        link = board.proxy("worker", "postgres", url=database)
        link.set(Mode.THROTTLE, bytes_per_second=8_000_000)
        installation.start("worker", CRONHOOK_DATABASE_URL=link.url_for(database))
        began = ahead()
        small = [
            created(installation, run_at=began + number * timedelta(seconds=0.5), callback_url=small_url)
            for number in range(1, 31)
        ]
        installation.wait_until_done(75)
        delivered = Counter(arrival.job_id for arrival in scripted_receiver.arrivals)
        assert link.hits[Mode.THROTTLE] > len(acts)
    assert delivered == {act.job_id: 1 for act in [*acts, *small]}
    ids = {act.job_id for act in acts}
    of_large, of_small = [], []
    for arrival in scripted_receiver.arrivals:
        (of_large if arrival.job_id in ids else of_small).append(arrival)
    took = (max(arrival.received_at for arrival in of_large) - began).total_seconds()
    worst = max(lateness(arrival) for arrival in of_small)
    print(f"the large ones took {took:.1f} s, the small ones came up to {worst:.3f} s late")
    assert worst <= 2
    assert verdict(installation, scripted_receiver, [*acts, *small]) == []

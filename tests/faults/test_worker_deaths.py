"""A worker dies, or stands still, at every moment of its work: nothing is lost, and no attempt is sent twice."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import timedelta

import pytest

from tests.faults.installation import SCHEDULERS, WORKERS, Installation, Load, ahead
from tests.faults.processes import CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import allowed, hard, verdict, worker_ids
from tests.services import wait_until

RETRIED_WITHIN = 12.0
UNTIL_THE_NEXT_STARTS = 10.0
POINTS = (
    *("store.ready.after", "store.claim.before", "store.claim.after", "sender.send.before", "sender.send.after"),
    *("store.finish.before", "store.finish.after"),
)
LONGEST_SEND = 1.0
LOST = """
    SELECT lost.execution_id, lost.attempt_no + 1 FROM job_logs AS lost
    WHERE lost.worker_id = ANY(%s) AND lost.outcome = 'lost'
"""
SUSPECTS = "SELECT count(*) FROM executions WHERE losses > 1"
BURIED = "SELECT 1 FROM workers WHERE buried_at IS NOT NULL"
COUNTED = "SELECT DISTINCT status, retries_used, losses, releases FROM executions"


@pytest.mark.full
def test_one_worker_after_the_other_dies_between_claim_and_result(
    installation: Installation, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    """What each held when it died is sent again, soon; and nothing else is."""
    installation.open("scheduler")
    faults, lateness = [], allowed(full, UNTIL_THE_NEXT_STARTS)
    fallen: frozenset[str] = frozenset()
    retried_until = {}  # counted from when there is a worker again, which takes what a start takes
    with Load(installation, scripted_receiver.url("/between/0.2/1/ok"), per_second=1.5) as load:
        for point in POINTS:
            dying = installation.start("worker", failpoints=f"{point}=kill@1")
            retried_until.update(dict.fromkeys(fallen, ahead(seconds=RETRIED_WITHIN)))
            assert dying.wait() == -signal.SIGKILL
            assert [event["point"] for event in dying.events("failpoint")] == [point]
            held = held_by(installation, dying)
            faults.append(hard("kill -9", held, dying, began=ahead(), lateness=lateness))
            fallen = worker_ids(dying)
        installation.start("worker")
        retried_until.update(dict.fromkeys(fallen, ahead(seconds=RETRIED_WITHIN)))
    assert verdict(installation, scripted_receiver, load.acts, faults=faults, lateness=lateness, within=180) == []
    assert installation.rows("SELECT DISTINCT status, retries_used FROM executions") == [("succeeded", 0)]
    arrived = {(a.execution_id, a.attempt_no): a.received_at for a in scripted_receiver.arrivals}
    ((suspects,),) = installation.rows(SUSPECTS)
    one_by_one = timedelta(seconds=suspects * LONGEST_SEND)  # for what was lost twice
    for worker_id, until in retried_until.items():
        lost = installation.rows(LOST, [worker_id])
        late = {key: arrived[key] - until for key in lost if arrived[key] > until}
        assert {key: by for key, by in late.items() if key[1] < 3 or by > one_by_one} == {}


def held_by(installation: Installation, worker: CronhookProcess) -> int:
    query = "SELECT count(*) FROM executions WHERE status = 'running' AND worker_id = ANY(%s)"
    ((count,),) = installation.rows(query, list(worker_ids(worker)))
    return int(count)


@pytest.mark.suite("faults")
def test_an_idle_worker_dies_and_nothing_is_late(
    installation: Installation, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    _, dying, *_ = installation.open("worker", "worker", *SCHEDULERS[: 3 if full else 1])
    died_at = ahead()
    dying.kill()
    act = installation.stored(run_at=ahead(seconds=0.5), callback_url=scripted_receiver.url("/ok"))
    (arrival,) = scripted_receiver.wait_for(1)
    assert (arrival.received_at - arrival.scheduled_for).total_seconds() <= 2.0
    fault = hard("kill -9", 0, dying, began=died_at, lateness=allowed(full, 2))
    assert verdict(installation, scripted_receiver, [act], faults=[fault]) == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("point", "attempts"),
    [
        ("sender.send.before", {1, 2}),
        ("sender.send.after", {1, 2}),
        ("store.claim.before", {1}),
        ("store.claim.after", {2}),
    ],
)
def test_a_worker_stands_still_beyond_its_life(
    installation: Installation, scripted_receiver: ScriptedReceiver, point: str, attempts: set[int]
) -> None:
    """Before or after the claim, or with the answer in hand: when it goes on, another has long done its work.

    What it had claimed, and not begun to send, never reaches the receiver: its trust has ended meanwhile.
    """
    installation.open("scheduler")
    standing = installation.start("worker", failpoints=f"{point}=stop@1")
    act = installation.stored(run_at=ahead(seconds=0.5), callback_url=scripted_receiver.url("/slow/0.2"))
    standing.wait_for_line('"failpoint"')
    ((claimed_at,),) = installation.rows("SELECT max(started_at) FROM claims")
    installation.start("worker")
    installation.wait_until_done()
    installation.wait_for_rows(BURIED)
    standing.resume()
    standing.wait_for_line('"worker_registered"', after=standing.log().index('"failpoint"'))
    fault = hard("SIGSTOP", 1, standing, began=claimed_at or act.asked_at)
    assert verdict(installation, scripted_receiver, [act], faults=[fault]) == []
    assert Counter(arrival.attempt_no for arrival in scripted_receiver.arrivals) == dict.fromkeys(attempts, 1)
    assert len(worker_ids(standing)) == 2


@pytest.mark.full
def test_a_worker_stands_still_in_mid_post(installation: Installation, scripted_receiver: ScriptedReceiver) -> None:
    """The receiver answers while nobody listens; when the worker goes on, the repeat has long been answered, too."""
    _, _, standing = installation.open("scheduler", "worker")
    asked_at = ahead()
    act = installation.stored(run_at=ahead(seconds=0.5), callback_url=scripted_receiver.url("/slow/1"))
    scripted_receiver.wait_for(1)
    size = standing.log_size()
    standing.suspend()
    installation.start("worker")
    installation.wait_until_done()
    installation.wait_for_rows(BURIED)
    standing.resume()
    standing.wait_for_line('"worker_registered"', after=size)
    fault = hard("SIGSTOP", 1, standing, began=asked_at)
    assert verdict(installation, scripted_receiver, [act], faults=[fault]) == []
    assert [arrival.attempt_no for arrival in scripted_receiver.arrivals] == [1, 2]
    assert installation.rows("SELECT status, retries_used, losses FROM executions") == [("succeeded", 0, 1)]


@pytest.mark.full
def test_a_worker_that_is_asked_to_end_gives_back_what_it_has_not_sent(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    """It waits for the secrets that sign requests, until it is told to wait no longer; nothing of it counts."""
    installation.open("scheduler")
    ending = installation.start("worker", failpoints="accounts.signing_versions.before=sleep:600")
    due = ahead(seconds=0.5)
    acts = [installation.stored(run_at=due, callback_url=scripted_receiver.url("/ok")) for _ in range(20)]
    installation.wait_for_rows("SELECT 1 FROM executions WHERE status = 'running' HAVING count(*) = %s", len(acts))
    ending.terminate()
    ending.wait_for_line('"stopping"')
    ending.terminate()
    assert ending.wait(5) == 0
    assert scripted_receiver.arrivals == []
    assert installation.rows(COUNTED) == [("queued", 0, 0, 1)]
    installation.start("worker")
    assert verdict(installation, scripted_receiver, acts) == []
    assert installation.rows(COUNTED) == [("succeeded", 0, 0, 1)]
    assert Counter(arrival.attempt_no for arrival in scripted_receiver.arrivals) == {2: len(acts)}


@pytest.mark.full
def test_an_execution_that_kills_its_worker_ends_and_its_neighbours_do_not_suffer(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    _, _, worker = installation.open("scheduler", "worker")
    asked_at = due = ahead(seconds=2)
    acts = [installation.stored(run_at=due, callback_url=scripted_receiver.url("/slow/2")) for _ in range(11)]
    poison = acts[-1].job_id
    for attempt in (1, 2, 3):
        wait_until(
            lambda attempt=attempt: any(  # type: ignore[misc]
                a.job_id == poison and a.attempt_no == attempt for a in scripted_receiver.arrivals
            ),
            30,
            f"attempt {attempt} of the poison",
        )
        worker.kill()
        installation.again(worker)
    installation.wait_until_done()
    rows = installation.rows("SELECT status, reason, losses FROM executions WHERE job_id = %s", poison)
    assert rows == [("failed", "lost", 3)]
    others = installation.rows("SELECT DISTINCT status FROM executions WHERE job_id <> %s", poison)
    assert others == [("succeeded",)]
    ((worst,),) = installation.rows("SELECT max(losses) FROM executions WHERE job_id <> %s", poison)
    assert worst <= 2
    fault = hard("kill -9", 11 * 3, worker, began=asked_at)
    assert verdict(installation, scripted_receiver, acts, faults=[fault]) == []


@pytest.mark.full
def test_five_thousand_jobs_at_one_instant_are_all_sent_within_bounds(
    installation: Installation, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    count = 5000
    _, *daemons = installation.open(*SCHEDULERS, *WORKERS)
    due = ahead(seconds=count / 60)
    acts = []
    for number in range(count):
        url = scripted_receiver.url("/between/0.05/0.5/ok", f"127.0.0.{1 + number % 2}")
        acts.append(installation.stored(run_at=due, callback_url=url))
    scripted_receiver.wait_for(count, 180)
    for process in daemons:
        assert process.resident_bytes() < 300_000_000
    # Two hosts may have a third of the slots each, for the 0.3 s that a send takes.
    assert verdict(installation, scripted_receiver, acts, lateness=allowed(full, 10), within=120) == []
    assert len(scripted_receiver.arrivals) == count

"""`cronhook up` is killed, or runs twice: nothing is lost, and nothing happens twice that need not."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.running import Up, ahead
from tests.receiver import Receiver
from tests.services import wait_until

JOBS = 30


def executions(up: Up) -> Counter[str]:
    return Counter(dict(up.query("SELECT job_id, count(*) FROM executions GROUP BY job_id")))


def unfinished(up: Up) -> int:
    ((count,),) = up.query("SELECT count(*) FROM jobs WHERE status = 'active'")
    return int(count)


def check_file(up: Up) -> None:
    assert up.query("PRAGMA integrity_check") == [("ok",)]
    assert up.query("PRAGMA foreign_key_check") == []


@pytest.mark.suite("integration")
def test_killed_again_and_again_it_loses_nothing(up: Up, receiver: Receiver) -> None:
    """Every kill finds a send under way, whose arrival it waited for; eight seconds later that counts as lost."""
    jobs = {
        up.create(
            run_at=ahead(seconds=1 + number / 10),
            callback_url=receiver.url(f"/slow/0.{3 + number % 3}?{number}"),
            retry_delays_seconds=[1] * 5,
        )["id"]
        for number in range(JOBS)
    }
    for kills in range(1, 6):
        receiver.wait_for(3 * kills)
        up.kill()
        check_file(up)
        up.start()
    wait_until(lambda: unfinished(up) == 0, 60, "all jobs have ended")
    assert executions(up) == Counter(jobs)
    assert set(up.query("SELECT status FROM executions")) == {("succeeded",)}
    ((lost,),) = up.query("SELECT count(*) FROM job_logs WHERE outcome = 'lost'")
    assert lost >= 5
    sent = Counter((arrival.webhook_id, arrival.headers["cronhook-attempt"]) for arrival in receiver.arrivals)
    assert set(sent.values()) == {1}
    assert len({arrival.webhook_id for arrival in receiver.arrivals}) == JOBS
    assert up.stop() == 0
    check_file(up)
    assert "Traceback" not in up.log


def test_what_it_answered_for_survives_a_kill_at_any_moment(up: Up, receiver: Receiver) -> None:
    stored = []
    for _ in range(5):
        bodies = [{"cron": "0 0 1 1 *", "callback_url": receiver.url("/")}] * random.randint(1, 5)
        stored.extend(up.create(**body)["id"] for body in bodies)
        up.kill()
        up.start()
    assert {job["id"] for job in up.get("/v1/jobs?limit=200")["data"]} == set(stored)
    check_file(up)


@pytest.mark.suite("integration")
def test_an_instant_missed_while_it_was_down_runs_once(up: Up, receiver: Receiver) -> None:
    job = up.create(run_at=ahead(seconds=1), callback_url=receiver.url("/missed"))
    up.kill()
    wait_until(lambda: ahead().isoformat() > job["run_at"], 5, "its instant has passed")
    up.start()
    up.ended(job["id"])
    (arrival,) = receiver.arrivals
    assert arrival.headers["cronhook-scheduled-for"] == job["run_at"]
    assert executions(up) == Counter([job["id"]])


@pytest.mark.suite("integration")
def test_two_processes_on_one_file_make_one_execution_of_an_instant(tmp_path: Path, receiver: Receiver) -> None:
    with Up(tmp_path) as one, Up(tmp_path, key=one.key) as other:
        run_at = ahead(seconds=2)
        jobs = {
            up.create(run_at=run_at, callback_url=receiver.url(f"/{number}"))["id"]
            for number in range(JOBS)
            for up in (one, other)
        }
        receiver.wait_for(2 * JOBS, timeout=20)
        wait_until(lambda: unfinished(one) == 0, 20, "all jobs have ended")
        assert len(jobs) == 2 * JOBS
        assert executions(one) == Counter(jobs)
        assert len(receiver.arrivals) == 2 * JOBS
        assert one.stop() == 0
        late = other.create(run_at=ahead(seconds=0), callback_url=receiver.url("/late"))
        other.ended(late["id"], 10)
        assert other.stop() == 0
        check_file(other)

"""The scripted receiver: what it writes down, and when."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.scripted_receiver_main import Request, reply_to
from tests.services import wait_until

SCHEDULED = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def process() -> Iterator[ScriptedReceiver]:
    with ScriptedReceiver(hosts=("127.0.0.1", "127.0.0.2")) as running:
        yield running


@pytest.fixture
def receiver(process: ScriptedReceiver) -> ScriptedReceiver:
    process.start()
    return process


def post(receiver: ScriptedReceiver, path: str, execution: str, attempt: int = 1, **options: object) -> httpx.Response:
    headers = {
        "webhook-id": execution,
        "cronhook-attempt": str(attempt),
        "cronhook-job-id": "job_1",
        "cronhook-scheduled-for": "2026-03-02T12:00:00Z",
    }
    host = str(options.pop("host", "127.0.0.1"))
    return httpx.post(receiver.url(path, host), headers=headers, json=None, **options)  # type: ignore[arg-type]


def fates(receiver: ScriptedReceiver, execution: str) -> list[tuple[int, int | None, str]]:
    return [(a.attempt_no, a.status, a.fate) for a in receiver.arrivals if a.execution_id == execution]


def test_an_arrival_is_written_down_with_all_that_it_says(receiver: ScriptedReceiver) -> None:
    before = datetime.now(UTC)
    assert post(receiver, "/between/0.2/0.3", "exe_all", 3).status_code == 200
    (arrival,) = [arrival for arrival in receiver.arrivals if arrival.execution_id == "exe_all"]
    assert (arrival.attempt_no, arrival.job_id, arrival.scheduled_for) == (3, "job_1", SCHEDULED)
    assert before <= arrival.received_at <= datetime.now(UTC)
    assert arrival.answered_at is not None
    assert timedelta(seconds=0.2) <= arrival.answered_at - arrival.received_at
    wait_until(lambda: fates(receiver, "exe_all") == [(3, 200, "answered")], 5, "the end is written down")


def test_delays_depend_on_execution_and_attempt_alone() -> None:
    def delay(execution: str, attempt: int) -> float:
        headers = {"webhook-id": execution, "cronhook-attempt": str(attempt)}
        return reply_to(Request(path="/between/0.2/5/", headers=headers, body=b"", received_at=SCHEDULED), 0).delay

    delays = [delay(f"exe_{number}", attempt) for number in range(20) for attempt in (1, 2)]
    assert delays == [delay(f"exe_{number}", attempt) for number in range(20) for attempt in (1, 2)]
    assert len(set(delays)) == 40
    assert all(0.2 <= delay <= 5 for delay in delays)


def test_what_follows_the_delay_is_scripted_too(receiver: ScriptedReceiver) -> None:
    path = "/between/0/0.01/fail/1"
    assert [post(receiver, path, "exe_fails", n).status_code for n in (1, 2)] == [500, 200]
    assert post(receiver, "/status/410", "exe_gone").status_code == 410


def test_a_sender_that_leaves_got_no_answer(receiver: ScriptedReceiver) -> None:
    with pytest.raises(httpx.ReadTimeout):
        post(receiver, "/slow/30", "exe_left", timeout=0.2)
    wait_until(lambda: fates(receiver, "exe_left") == [(1, None, "closed")], 5, "the end is written down")


def test_a_reset_is_no_answer(receiver: ScriptedReceiver) -> None:
    with pytest.raises(httpx.ReadError):
        post(receiver, "/reset", "exe_reset")
    wait_until(lambda: fates(receiver, "exe_reset") == [(1, None, "reset")], 5, "the end is written down")


def test_an_arrival_is_written_down_before_its_answer(receiver: ScriptedReceiver) -> None:
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(post, receiver, "/silent", "exe_killed", timeout=20)
        wait_until(lambda: fates(receiver, "exe_killed") != [], 10, "it is written down")
        receiver.kill()
        with pytest.raises(httpx.TransportError):
            answer.result()
    assert fates(receiver, "exe_killed") == [(1, None, "unknown")]


def test_its_log_outlives_it(receiver: ScriptedReceiver) -> None:
    post(receiver, "/status/202", "exe_before")
    receiver.kill()
    receiver.start()
    post(receiver, "/status/204", "exe_after")
    told = [(arrival.execution_id, arrival.status) for arrival in receiver.arrivals]
    assert told[-2:] == [("exe_before", 202), ("exe_after", 204)]


def test_arrivals_are_waited_for(receiver: ScriptedReceiver) -> None:
    before = len(receiver.arrivals)
    with ThreadPoolExecutor() as pool:
        pool.submit(post, receiver, "/", "exe_awaited")
        assert receiver.wait_for(before + 1)[-1].execution_id == "exe_awaited"


def test_it_is_several_hosts(receiver: ScriptedReceiver) -> None:
    assert post(receiver, "/", "exe_host", host="127.0.0.2").status_code == 200


def test_what_is_no_webhook_is_not_written_down(receiver: ScriptedReceiver) -> None:
    before = len(receiver.arrivals)
    assert httpx.get(receiver.url("/status/204")).status_code == 204
    assert len(receiver.arrivals) == before

"""Redis is killed, or hangs, under the API: whoever asks the API does not notice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import attrs
import httpx
import pytest

from tests.faults.chaos_proxy import ChaosBoard, ChaosProxy, Mode
from tests.faults.installation import Installation, ahead, metrics
from tests.faults.processes import CronhookProcess
from tests.faults.verdict import allowed
from tests.machine import machine_delay
from tests.services import ValkeyServer, wait_until

pytestmark = pytest.mark.suite("faults")

USERS = 4
FAILURES_PER_MINUTE = 10
NOWHERE = "http://127.0.0.1:9/"


@attrs.frozen
class Answered:
    request: str
    status: int
    seconds: float
    body: dict[str, Any]


def ask(installation: Installation, method: str, path: str, body: object = None) -> Answered:
    began = time.monotonic()
    answer = installation.request(method, path, body)
    return Answered(f"{method} {path}", answer.status_code, time.monotonic() - began, answer.json())


def use(installation: Installation, job_id: str) -> list[Answered]:
    """One request of each kind; what is stored is due so soon that planners and workers are told of it."""
    soon = {"name": "a job", "run_at": ahead(seconds=1).isoformat(), "callback_url": NOWHERE}
    return [
        ask(installation, "POST", "/v1/jobs", soon),
        ask(installation, "GET", f"/v1/jobs/{job_id}"),
        ask(installation, "POST", f"/v1/jobs/{job_id}/run"),
        ask(installation, "PATCH", f"/v1/jobs/{job_id}", {"run_at": ahead(seconds=1).isoformat()}),
        ask(installation, "GET", "/v1/jobs?limit=5"),
    ]


def use_at_once(installation: Installation, job_ids: list[str], rounds: int) -> list[Answered]:
    """By several users, each with a job of its own."""

    def one_user(job_id: str) -> list[Answered]:
        return [answered for _ in range(rounds) for answered in use(installation, job_id)]

    with ThreadPoolExecutor(USERS) as threads:
        return [answered for answers in threads.map(one_user, job_ids) for answered in answers]


@contextmanager
def killed(server: ValkeyServer, proxy: ChaosProxy) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def hung(server: ValkeyServer, proxy: ChaosProxy) -> Iterator[None]:
    """It accepts connections, and never answers."""
    proxy.set(Mode.BLACKHOLE)
    yield
    assert proxy.hits[Mode.BLACKHOLE] > 0
    proxy.set(Mode.PASS)


def sees_redis(api: CronhookProcess) -> bool:
    return metrics(api)["cronhook_redis_up"] == 1


def guess_keys(installation: Installation, times: int) -> list[tuple[int, float]]:
    """What each guess is answered, and in how many seconds."""
    url = f"http://127.0.0.1:{installation.port}/v1/jobs"
    answered = []
    for _ in range(times):
        began = time.monotonic()
        answer = httpx.get(url, headers={"x-api-key": "chk_guessed"}, timeout=10)
        answered.append((answer.status_code, time.monotonic() - began))
    return answered


@pytest.mark.parametrize("befall", [killed, hung])
def test_the_api_is_as_before_without_redis(
    installation: Installation, own_valkey: ValkeyServer, befall: Any, full: bool
) -> None:
    rounds = 300 if full else 30
    with ChaosBoard() as board, machine_delay() as delay:
        proxy = board.proxy("api", "redis", url=own_valkey.url)
        installation.settings["CRONHOOK_REDIS_URL"] = proxy.url_for(installation.settings["CRONHOOK_REDIS_URL"])
        (api,) = installation.open()
        own_jobs = [installation.create(run_at=ahead(hours=1), callback_url=NOWHERE)["id"] for _ in range(USERS)]
        use_at_once(installation, own_jobs, 5)
        wait_until(lambda: sees_redis(api), 10, "the API has Redis")
        with befall(own_valkey, proxy):
            answers = use_at_once(installation, own_jobs, rounds)
            guesses = guess_keys(installation, FAILURES_PER_MINUTE + 2)
            wait_until(lambda: not sees_redis(api), 10, "the API has noticed")
        wait_until(lambda: sees_redis(api), 10, "the API has Redis again")
        answers += use_at_once(installation, own_jobs, 5)
    slowest = max(answers, key=lambda answered: answered.seconds)
    print(f"{len(answers)} requests, the slowest after {slowest.seconds:.3f} s: {slowest.request}")
    print(f"the machine was late by {delay():.3f} s")
    print(f"the slowest of {len(guesses)} guesses after {max(seconds for _, seconds in guesses):.3f} s")
    assert Counter(answered.status for answered in answers).keys() == {200, 201, 202}
    assert slowest.seconds - delay() <= allowed(full, 0.5).total_seconds()
    assert [status for status, _ in guesses[:FAILURES_PER_MINUTE]] == [401] * FAILURES_PER_MINUTE
    assert guesses[-1][0] == 429
    assert_is_stored(installation, answers)
    assert "Traceback" not in api.log()


def assert_is_stored(installation: Installation, answers: list[Answered]) -> None:
    """All that was answered 201 and 202."""
    for status, table in ((201, "jobs"), (202, "executions")):
        stored = {row_id for (row_id,) in installation.rows(f"SELECT id FROM {table}")}
        assert {answered.body["id"] for answered in answers if answered.status == status} <= stored

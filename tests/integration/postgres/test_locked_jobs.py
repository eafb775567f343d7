"""A foreign session holds the row of one job: the results of all other jobs are written, and that job's once it can."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import InactiveReason, Job
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.worker import Worker, WorkerOptions
from cronhook_core.errors import StoreBusy
from cronhook_core.testing.builders import gave_up, gone, make_result, retry, succeeded
from cronhook_core.testing.job_store.racing import report_all
from cronhook_core.testing.job_store.scene import LATER, Scene
from cronhook_core.testing.recording_hooks import RecordingHooks
from tests.integration.postgres.nodes import Open, locked, takes_less_than

SLOTS = 50
UNTIL = 10.0
SOON = 1.0
"""Seconds that a result may wait for another one's job."""


@pytest.fixture(params=["direct", "pooler"])
async def database(request: pytest.FixtureRequest, open_database: Open, url: str) -> PostgresDatabase:
    """Also as behind a pooler whose role has no timeouts: there a statement that waits for a lock waits for ever."""
    return await open_database(through_pooler=request.param == "pooler")


def row_of(job: Job | Claim) -> str:
    return f"SELECT FROM jobs WHERE id = '{job.id if isinstance(job, Job) else job.job_id}' FOR UPDATE"


async def two_claims(scene: Scene) -> tuple[Claim, Claim]:
    """Of one-time jobs, so that each end, whatever it is, concerns the job."""
    return await scene.claim((await scene.due_once())[1]), await scene.claim((await scene.due_once())[1])


@pytest.mark.parametrize("report", [succeeded, retry, gave_up])
async def test_a_result_of_a_locked_job_is_reported_back_at_once_and_written_later(
    report: Callable[..., AttemptReport], scene: Scene, store: PostgresJobStore, url: str
) -> None:
    held, other = await two_claims(scene)
    reports = [report(held, LATER), report(other, LATER), report(held, LATER)]
    async with locked(url, row_of(held)):
        with takes_less_than(SOON):
            verdicts = await store.finish(reports, LATER)
        assert [(verdict.locked, verdict.accepted) for verdict in verdicts] == [
            (True, False),
            (False, True),
            (True, False),
        ]
        assert (await scene.now_of(held)).status is ExecutionStatus.RUNNING
        assert [attempt.status for attempt in await scene.attempts(held)] == ["running"]
    again = await store.finish(reports, LATER)
    assert [(verdict.locked, verdict.accepted) for verdict in again] == [(False, True), (False, False), (False, False)]


async def test_the_end_of_a_locked_job_is_refused_at_once(scene: Scene, store: PostgresJobStore, url: str) -> None:
    held, other = await two_claims(scene)
    async with locked(url, row_of(held)):
        with takes_less_than(SOON):
            with pytest.raises(StoreBusy):
                await store.finish([gone(held, LATER), gone(other, LATER)], LATER)
            [verdict] = await store.finish([gone(other, LATER)], LATER)
        assert verdict.accepted
    await report_all(store, [gone(held, LATER), gone(other, LATER)])
    for claim in (held, other):
        assert (await scene.job_now(claim)).inactive_reason is InactiveReason.GONE


class Receiver:
    """Answers by the path; a request waits at ``gate`` first."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.requests = 0

    async def __call__(self, request: WebhookRequest) -> WebhookResult:
        self.requests += 1
        await self.gate.wait()
        status = int(request.url.rpartition("/")[2])
        return (
            make_result(response_status=status)
            if status < 300
            else make_result(Outcome.HTTP_ERROR, response_status=status)
        )


class Hooks(RecordingHooks):
    """Notes also in ``waited`` how many seconds each result waited until it was written."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__()
        self.waited: list[float] = []
        self._clock = clock

    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None:
        super().attempt_finished(claim, report, verdict)
        self.waited.append((self._clock.now() - report.finished_at).total_seconds())


class Bench:
    """A worker on Postgres, and what it is given to do."""

    def __init__(self, scene: Scene, store: PostgresJobStore) -> None:
        self.scene = scene
        self.receiver = Receiver()
        self._clock = SystemClock()
        self.hooks = Hooks(self._clock)
        self.worker = Worker(
            store,
            MemoryQueue(self._clock),
            Delivery(self.receiver, keys=None, clock=self._clock, random=Random(1), user_agent="tests"),
            clock=self._clock,
            hooks=self.hooks,
            random=Random(1),
            dependencies=Dependencies(self.hooks, Random(1)),
            options=WorkerOptions(concurrency=SLOTS),
        )

    @property
    def unwritten(self) -> int:
        """How many requests have left without a result that is written."""
        return self.receiver.requests - len(self.hooks.waited)

    async def sends_more(self) -> bool:
        """Whether another request leaves while the worker, which may look for work every 0.02 s, has looked often."""
        requests, until = self.receiver.requests, self._clock.monotonic() + 0.6
        while self.receiver.requests == requests and self._clock.monotonic() < until:
            await asyncio.sleep(0.02)
        return self.receiver.requests > requests

    async def job(self, status: int, **changes: Any) -> Job:
        url = f"https://receiver.example/{status}"
        return await self.scene.job(callback_url=url, created_at=self._clock.now(), **changes)

    async def run(self, job: Job, count: int) -> None:
        now = self._clock.now()
        for _ in range(count):
            await self.scene.queued(job, at=now)

    async def until(self, condition: Callable[[Counter[str]], bool], job: Job) -> None:
        """Wait until the executions of this job, counted by their status, are as ``condition`` says."""
        counts: Counter[str] = Counter()
        try:
            async with asyncio.timeout(UNTIL):
                while not condition(counts):
                    executions = await self.scene.store.list_executions(job.workspace_id, job.id, limit=1000)
                    counts = Counter(execution.status.value for execution in executions)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"after {UNTIL} s the executions of {job.definition.callback_url}: {counts}") from None


@asynccontextmanager
async def working(scene: Scene, store: PostgresJobStore) -> AsyncIterator[Bench]:
    bench = Bench(scene, store)
    bench.worker.start()
    try:
        yield bench
        assert bench.hooks.named("dependency_changed") == []
    finally:
        await bench.worker.stop(at_once=True)


async def test_a_worker_writes_all_other_results_in_time(scene: Scene, store: PostgresJobStore, url: str) -> None:
    async with working(scene, store) as bench:
        held, failing, fine, going = [await bench.job(status) for status in (500, 503, 200, 410)]
        await bench.run(held, 1)
        await bench.until(lambda counts: counts.get("running") == 1, held)
        async with locked(url, row_of(held)):
            for job, count in ((fine, 20), (failing, 60), (fine, 20), (going, 1)):
                await bench.run(job, count)
            bench.receiver.gate.set()
            await bench.until(lambda counts: counts == {"succeeded": 40}, fine)
            await bench.until(lambda counts: counts == {"queued": 60}, failing)  # for their retries
            await bench.until(lambda counts: counts == {"failed": 1}, going)
            assert max(bench.hooks.waited) < SOON
            assert bench.unwritten == 1
        await bench.until(lambda counts: counts == {"queued": 1}, held)


@pytest.mark.parametrize("database", ["direct"], indirect=True)
async def test_nobody_waits_for_a_cancellation_that_meets_its_time_limit(
    scene: Scene, store: PostgresJobStore, url: str
) -> None:
    """One of the queued executions is locked, so that the 410 of their job cannot cancel it."""
    async with working(scene, store) as bench:
        going, failing, fine = [await bench.job(status) for status in (410, 503, 200)]
        await bench.run(going, 1)
        await bench.until(lambda counts: counts.get("running") == 1, going)
        held = await scene.queued(going, at=LATER + timedelta(days=36_500))
        async with locked(url, f"SELECT FROM executions WHERE id = '{held.id}' FOR UPDATE"):
            await bench.run(failing, 20)
            await bench.run(fine, 20)
            bench.receiver.gate.set()
            await bench.until(lambda counts: counts == {"succeeded": 20}, fine)
            await bench.until(lambda counts: counts == {"queued": 20}, failing)  # for their retries
            assert max(bench.hooks.waited) < SOON
            assert bench.unwritten == 1
        await bench.until(lambda counts: counts == {"failed": 1, "cancelled": 1}, going)


async def test_no_more_is_claimed_while_more_results_wait_than_there_are_slots(
    scene: Scene, store: PostgresJobStore, url: str
) -> None:
    async with working(scene, store) as bench:
        held = await bench.job(500, retry_policy=RetryPolicy(delays=()))
        await bench.run(held, 6 * SLOTS)
        async with locked(url, row_of(held)):
            bench.receiver.gate.set()
            async with asyncio.timeout(UNTIL):
                while bench.unwritten <= SLOTS or await bench.sends_more():
                    await asyncio.sleep(0.02)
            assert bench.receiver.requests <= 2 * SLOTS
        await bench.until(lambda counts: counts == {"failed": 6 * SLOTS}, held)
        assert bench.receiver.requests == 6 * SLOTS

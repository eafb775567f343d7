"""Payloads that are large for the connection to the store, or many for the memory of a worker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from random import Random
from typing import Any

import pytest

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.execution import Execution, QueueMessage
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.fairness import MAX_HELD_BYTES
from cronhook_core.engine.worker import Worker
from cronhook_core.errors import StoreUnavailable
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks

LARGE = b'"' + b"x" * (256 * 1024 - 2) + b'"'
SMALL = b'{"small": true}'
ANSWER_WITHIN = 6.0


class BehindALink(MemoryJobStore):
    """A store whose claims come at so many bytes a second; one that takes too long is undone and fails."""

    def __init__(self, clock: ManualClock, rate: float) -> None:
        self.database = MemoryDatabase()
        super().__init__(self.database)
        self.results_are_written = True
        self._clock = clock
        self._rate = rate

    async def claim(self, execution_ids: Sequence[str], **named: Any) -> Sequence[Claim]:
        seconds = self._bytes_of(execution_ids, named.get("max_bytes", float("inf"))) / self._rate
        await self._clock.sleep(min(seconds, ANSWER_WITHIN))
        if seconds > ANSWER_WITHIN:
            raise StoreUnavailable("the server did not answer in time")
        return await super().claim(execution_ids, **named)

    async def finish(self, reports: Sequence[AttemptReport], now: datetime) -> Sequence[Verdict]:
        if not self.results_are_written:
            raise StoreUnavailable("the database is away")
        return await super().finish(reports, now)

    def _bytes_of(self, execution_ids: Sequence[str], max_bytes: float) -> int:
        total = 0
        for execution_id in execution_ids:
            execution = self.database.executions.get(execution_id)
            size = self.database.jobs[execution.job_id].definition.stored_bytes if execution else 0
            if total and total + size > max_bytes:
                break
            total += size
        return total


class Receiver:
    """Takes some seconds for each request; knows when each came, and how many bytes were under way at most."""

    def __init__(self, clock: ManualClock, seconds: float = 0.02) -> None:
        self.arrived: dict[str, datetime] = {}
        self.most_bytes = 0
        self._bytes = 0
        self._clock = clock
        self._seconds = seconds

    async def __call__(self, request: WebhookRequest) -> WebhookResult:
        self.arrived[dict(request.headers)["webhook-id"]] = self._clock.now()
        self._bytes += len(request.body)
        self.most_bytes = max(self.most_bytes, self._bytes)
        await self._clock.sleep(self._seconds if request.body == LARGE else 0.02)
        self._bytes -= len(request.body)
        return WebhookResult(outcome=Outcome.SUCCEEDED, response_status=200)

    def lateness(self, executions: Sequence[Execution]) -> list[float]:
        return [(self.arrived[one.id] - one.available_at).total_seconds() for one in executions]


class Bench:
    def __init__(self, clock: ManualClock, *, rate: float, answers_after: float = 0.02) -> None:
        self.clock = clock
        self.store = BehindALink(clock, rate)
        self.queue = MemoryQueue(clock)
        self.receiver = Receiver(clock, answers_after)
        self._scene = Scene(self.store, MemoryAccountStore(self.store.database))
        self.dependencies = Dependencies(RecordingHooks(), Random(1))

    async def due(self, count: int, payload: bytes, host: str) -> list[Execution]:
        """As many executions of as many jobs of one host and of a workspace of its own, due now."""
        workspace = await self._scene.another_workspace()
        jobs = await self._scene.jobs(count, workspace_id=workspace.id, host=host, payload=payload)
        executions = [await self._scene.queued(job, self.clock.now()) for job in jobs]
        await self.queue.push([QueueMessage.of(execution) for execution in executions], self.clock.now())
        return executions

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        random, hooks = Random(1), RecordingHooks()
        worker = Worker(
            self.store,
            self.queue,
            Delivery(self.receiver, keys=None, clock=self.clock, random=random, user_agent="tests"),
            clock=self.clock,
            random=random,
            hooks=hooks,
            dependencies=self.dependencies,
        )
        worker.start()
        try:
            yield
        finally:
            await asyncio.gather(worker.stop(at_once=True), self.clock.advance(20))
        assert hooks.named("pass_failed") == []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


async def test_a_slow_link_carries_all_and_small_ones_in_time(clock: ManualClock) -> None:
    bench = Bench(clock, rate=8_000_000)
    large = await bench.due(300, LARGE, "large.example")
    small = []
    async with bench.working():
        for _ in range(30):
            await clock.advance(0.5)
            small += await bench.due(1, SMALL, "small.example")
        await clock.advance(2)
    arrived = [one for one in large if one.id in bench.receiver.arrived]
    assert len(arrived) == len(large)
    assert max(bench.receiver.lateness(small)) <= 2
    assert bench.dependencies.database.available


async def test_a_link_too_slow_for_a_full_claim_gets_smaller_ones(clock: ManualClock) -> None:
    bench = Bench(clock, rate=100_000)
    large = await bench.due(8, LARGE, "large.example")
    async with bench.working():
        await clock.advance(60)
    assert set(bench.receiver.arrived) == {one.id for one in large}


async def test_what_a_claim_leaves_is_claimed_next(clock: ManualClock) -> None:
    """And not only once a look into the store finds it: there is a second between these."""
    bench = Bench(clock, rate=1e9)
    async with bench.working():
        await clock.advance(1.1)
        large = await bench.due(100, LARGE, "large.example")
        await clock.advance(0.5)
    assert set(bench.receiver.arrived) == {one.id for one in large}


async def test_payloads_under_way_are_bounded_and_leave_room_for_others(clock: ManualClock) -> None:
    bench = Bench(clock, rate=1e9, answers_after=30)
    for number in range(3):
        await bench.due(200, LARGE, f"slow-{number}.example")
    async with bench.working():
        await clock.advance(5)
        small = await bench.due(20, SMALL, "small.example")
        await clock.advance(2)
        assert max(bench.receiver.lateness(small)) <= 0.1
        await clock.advance(25)
        assert len(bench.receiver.arrived) < 600
        await clock.advance(120)
    assert len(bench.receiver.arrived) == 620
    assert MAX_HELD_BYTES / 2 < bench.receiver.most_bytes <= MAX_HELD_BYTES


async def test_payloads_count_until_their_results_are_written(clock: ManualClock) -> None:
    bench = Bench(clock, rate=1e9)
    bench.store.results_are_written = False
    large = [one for number in range(20) for one in await bench.due(20, LARGE, f"host-{number}.example")]
    async with bench.working():
        await clock.advance(6)
        assert len(bench.receiver.arrived) * len(LARGE) <= MAX_HELD_BYTES + len(LARGE)
        bench.store.results_are_written = True
        await clock.advance(3)
        assert set(bench.receiver.arrived) == {one.id for one in large}

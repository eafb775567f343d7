"""The looks into the store, under the messages: what they cost, and what waits for them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from attrs import evolve

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import Execution, QueueMessage
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.worker import Worker, WorkerOptions
from cronhook_core.errors import QueueUnavailable, StoreUnavailable
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.webhook_sender import WebhookSender
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.interposed import interposed
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks
from cronhook_core.testing.scripted_sender import ScriptedSender


class SlowLooks:
    """Each look takes so long; then it is answered, or fails as by a time limit of the database.

    So do claims, but for the failure, by ``slow_claims``.
    """

    def __init__(
        self, clock: ManualClock, seconds: float, error: Exception | None = None, *, slow_claims: float = 0.0
    ) -> None:
        self.looks = 0
        self._clock = clock
        self._seconds = seconds
        self._error = error
        self._slow_claims = slow_claims

    async def __call__(self, method: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if method == "ready":
            self.looks += 1
            await self._clock.sleep(self._seconds)
            if self._error is not None:
                raise self._error
        if method == "claim":
            await self._clock.sleep(self._slow_claims)
        return await call()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@asynccontextmanager
async def working(
    clock: ManualClock,
    sender: WebhookSender,
    store: JobStore,
    looks: SlowLooks,
    queue: MemoryQueue,
    *,
    concurrency: int = 500,
) -> AsyncIterator[None]:
    random, hooks = Random(1), RecordingHooks()
    worker = Worker(
        interposed(store, JobStore, looks),
        queue,
        Delivery(sender, keys=None, clock=clock, random=random, user_agent="tests"),
        clock=clock,
        random=random,
        hooks=hooks,
        dependencies=Dependencies(hooks, random),
        options=WorkerOptions(concurrency=concurrency),
    )
    worker.start()
    try:
        yield
    finally:
        await asyncio.gather(worker.stop(at_once=True), clock.advance(10))


async def test_what_messages_tell_of_does_not_wait_for_looks_that_fail(clock: ManualClock) -> None:
    database, sender = MemoryDatabase(), ScriptedSender()
    store, queue = MemoryJobStore(database), MemoryQueue(clock)
    scene = Scene(store, MemoryAccountStore(database))
    looks = SlowLooks(clock, 5, StoreUnavailable("canceling statement due to statement timeout"))
    async with working(clock, sender, store, looks, queue):
        for sent in range(1, 21):
            execution = await scene.queued(await scene.job(), clock.now())
            await queue.push([QueueMessage.of(execution)], clock.now())
            await clock.advance(10)
            assert len(sender.requests) == sent


async def test_looks_that_take_long_are_repeated_less_often(clock: ManualClock) -> None:
    store, looks = MemoryJobStore(MemoryDatabase()), SlowLooks(clock, 0.5)
    async with working(clock, ScriptedSender(), store, looks, MemoryQueue(clock)):
        await clock.advance(60)
    assert 10 <= looks.looks <= 12


class QueueAway(MemoryQueue):
    """As a Redis that cannot be reached."""

    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        raise QueueUnavailable("Redis is away")


async def test_without_a_queue_a_backlog_of_one_host_delays_no_other(clock: ManualClock) -> None:
    """The backlog is older than what becomes due meanwhile, so that each look into the store finds it first."""
    database, sender = MemoryDatabase(), SlowSender(clock, seconds=0.02)
    store = MemoryJobStore(database)
    scene = Scene(store, MemoryAccountStore(database))
    looks = SlowLooks(clock, 0, slow_claims=0.15)
    backlog = await scene.job(host="backlog.example")
    for _ in range(3_000):
        await scene.queued(backlog, clock.now())
    others = []
    async with working(clock, sender, store, looks, QueueAway(clock)):
        await clock.advance(0.3)
        for number in range(8):
            other = await scene.job(host=f"other-{number % 2}.example")
            others.append(await scene.queued(other, clock.now()))
            await clock.advance(0.5)
        await clock.advance(2)
    assert len(sender.sent) == 3_000 + len(others)
    assert max((sender.answered_at[one.id] - one.available_at).total_seconds() for one in others) <= 1.5


class SlowSender:
    """Answers after some seconds of the clock."""

    def __init__(self, clock: ManualClock, seconds: float = 0.2) -> None:
        self.sent: list[str] = []
        self._clock = clock
        self._seconds = seconds
        self.answered_at: dict[str, datetime] = {}

    async def __call__(self, request: WebhookRequest) -> WebhookResult:
        await self._clock.sleep(self._seconds)
        self.sent.append(dict(request.headers)["webhook-id"])
        self.answered_at[self.sent[-1]] = self._clock.now()
        return WebhookResult(outcome=Outcome.SUCCEEDED, response_status=200)


@pytest.mark.parametrize(("hosts", "slots"), [(1, 10), (30, 14)])
async def test_a_backlog_that_nobody_tells_of_keeps_the_slots_in_use(
    clock: ManualClock, hosts: int, slots: int
) -> None:
    """Of twenty slots one host takes half, and one workspace two thirds: without them nothing would be looked for."""
    database, sender = MemoryDatabase(), SlowSender(clock)
    store = MemoryJobStore(database)
    scene = Scene(store, MemoryAccountStore(database))
    workspace = (await scene.job()).workspace_id
    for number in range(600):
        job = await scene.job(workspace_id=workspace, host=f"host-{number % hosts}.example")
        await scene.queued(job, clock.now())
    async with working(clock, sender, store, SlowLooks(clock, 0), MemoryQueue(clock), concurrency=20):
        await clock.advance(5)
        assert len(sender.sent) >= 0.8 * slots * 5 / 0.2


async def test_messages_of_what_others_have_claimed_hold_up_nothing(clock: ManualClock) -> None:
    database, sender = MemoryDatabase(), SlowSender(clock)
    store, queue = MemoryJobStore(database), MemoryQueue(clock)
    scene = Scene(store, MemoryAccountStore(database))
    execution = await scene.queued(await scene.job(), clock.now() + timedelta(days=1))
    gone = [evolve(QueueMessage.of(execution), execution_id=f"exe_{number}") for number in range(400)]
    async with working(clock, sender, store, SlowLooks(clock, 0), queue, concurrency=20):
        await clock.advance(2)
        await queue.push(gone, clock.now())
        theirs = [await scene.queued(await scene.job(), clock.now()) for _ in range(5)]
        await queue.push([QueueMessage.of(one) for one in theirs], clock.now())
        await clock.advance(0.9)
        assert {one.id for one in theirs} <= set(sender.sent)


async def test_a_backlog_of_one_workspace_over_many_hosts_delays_no_other_workspace(clock: ManualClock) -> None:
    """It is larger than what may wait here, and its receivers answer nothing."""
    database, sender = MemoryDatabase(), SlowSender(clock, seconds=0)
    store, queue = MemoryJobStore(database), MemoryQueue(clock)
    scene = Scene(store, MemoryAccountStore(database))

    async def hanging(request: WebhookRequest) -> WebhookResult:
        if "backlog" in request.url:
            await clock.sleep(1000)
        return await sender(request)

    async def due(count: int, name: str) -> list[Execution]:
        workspace = (await scene.another_workspace()).id
        jobs = [
            await scene.job(workspace_id=workspace, host=f"{name}-{n}.example", callback_url=f"https://{name}.example/")
            for n in range(count)
        ]
        return [await scene.queued(job, clock.now()) for job in jobs]

    backlog = [QueueMessage.of(one) for one in await due(400, "backlog")]
    more = [evolve(backlog[0], execution_id=f"exe_{n}", host=f"backlog-{n % 5000}.example") for n in range(20_700)]
    async with working(clock, hanging, store, SlowLooks(clock, 0), queue):
        await queue.push(backlog + more, clock.now())
        await clock.advance(1.05)
        others = await due(100, "other")
        await queue.push([QueueMessage.of(one) for one in others], clock.now())
        await clock.advance(0.5)
        assert len(sender.sent) == len(others)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_worker_without_free_slots_waits_for_one(clock: ManualClock, concurrency: int) -> None:
    """It neither runs on and on, which `settle` refuses, nor does it leave a slot unused that is free again."""
    database, sender = MemoryDatabase(), SlowSender(clock, seconds=30)
    store, looks = MemoryJobStore(database), SlowLooks(clock, 0)
    scene = Scene(store, MemoryAccountStore(database))

    async def due_now() -> None:
        for _ in range(concurrency):
            workspace = await scene.another_workspace()
            job = await scene.job(workspace_id=workspace.id, host=f"{workspace.id}.example")
            await scene.queued(job, clock.now())

    await due_now()
    async with working(clock, sender, store, looks, MemoryQueue(clock), concurrency=concurrency):
        await clock.advance(5)
        await due_now()
        looked = looks.looks
        await clock.advance(20)
        assert looks.looks == looked
        await clock.advance(6)  # the first sends have ended after 30 s, the others have begun at once
        assert len(sender.sent) == concurrency
        await clock.advance(30)
        assert len(sender.sent) == 2 * concurrency


async def test_who_stops_at_once_does_not_wait_for_a_store_that_hangs(clock: ManualClock) -> None:
    looks = SlowLooks(clock, 1000)
    async with asyncio.timeout(10):
        async with working(clock, ScriptedSender(), MemoryJobStore(MemoryDatabase()), looks, MemoryQueue(clock)):
            await clock.advance(1)
            assert looks.looks == 1
    assert clock.now() < NOW + timedelta(seconds=60)

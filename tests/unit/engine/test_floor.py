"""The looks into the store, under the messages: what they cost, and what waits for them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.worker import Worker
from cronhook_core.errors import StoreUnavailable
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.interposed import interposed
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks
from cronhook_core.testing.scripted_sender import ScriptedSender


class SlowLooks:
    """Each look takes so long; then it is answered, or fails as by a time limit of the database."""

    def __init__(self, clock: ManualClock, seconds: float, error: Exception | None = None) -> None:
        self.looks = 0
        self._clock = clock
        self._seconds = seconds
        self._error = error

    async def __call__(self, method: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if method == "ready":
            self.looks += 1
            await self._clock.sleep(self._seconds)
            if self._error is not None:
                raise self._error
        return await call()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@asynccontextmanager
async def working(
    clock: ManualClock, sender: ScriptedSender, store: JobStore, looks: SlowLooks, queue: MemoryQueue
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

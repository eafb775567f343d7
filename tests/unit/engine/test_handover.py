"""Schedulers that follow: how they take over, and how they notice that the queue is back."""

import asyncio
from datetime import datetime, timedelta
from random import Random

import pytest

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.leadership import LOCK_NAME
from cronhook_core.engine.scheduler import Scheduler
from cronhook_core.errors import QueueUnavailable
from cronhook_core.ports.lock import Lease
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks

TTL = timedelta(seconds=1.5)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


class FlakyQueue(MemoryQueue):
    away = False

    async def depth(self) -> int:
        self._answer()
        return await super().depth()

    async def wait(self, timeout: timedelta) -> datetime | None:
        self._answer()
        return await super().wait(timeout)

    def _answer(self) -> None:
        if self.away:
            raise QueueUnavailable("the queue is away")


async def test_a_follower_plans_at_once_when_the_lease_ends(clock: ManualClock) -> None:
    hooks, lock, queue = RecordingHooks(), MemoryLock(clock), MemoryQueue(clock)
    database = MemoryDatabase()
    store = MemoryJobStore(database)
    scene = Scene(store, MemoryAccountStore(database))
    await scene.job(schedule=OneTimeSchedule(NOW + timedelta(seconds=0.2)))
    assert isinstance(await lock.acquire(LOCK_NAME, TTL, clock.now()), Lease)
    follower = Scheduler(store, queue, lock, clock=clock, hooks=hooks, dependencies=Dependencies(hooks, Random(1)))
    follower.start()
    await clock.advance(1.49)
    assert hooks.named("execution_planned") == []
    await clock.advance(0.05)
    assert len(hooks.named("execution_planned")) == 1
    assert hooks.named("overdue_found") == []
    await asyncio.gather(follower.stop(), clock.advance(10))


async def test_a_follower_tells_once_that_the_queue_went_and_once_that_it_is_back(clock: ManualClock) -> None:
    hooks, lock, queue = RecordingHooks(), MemoryLock(clock), FlakyQueue(clock)
    assert isinstance(await lock.acquire(LOCK_NAME, timedelta(hours=1), clock.now()), Lease)
    dependencies = Dependencies(hooks, Random(1))
    store = MemoryJobStore(MemoryDatabase())
    follower = Scheduler(store, queue, lock, clock=clock, hooks=hooks, dependencies=dependencies)
    queue.away = True
    follower.start()
    await clock.advance(30)
    queue.away = False
    await clock.advance(10)
    assert hooks.named("dependency_changed") == [("queue", False), ("queue", True)]
    await asyncio.gather(follower.stop(), clock.advance(10))

"""Schedulers that lead and follow: how others take over, and what holds nobody up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.leadership import LOCK_NAME
from cronhook_core.engine.scheduler import Scheduler
from cronhook_core.errors import LockUnavailable, QueueUnavailable, StoreUnavailable
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.lock import Lease, Lock
from cronhook_core.ports.queue import Queue
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.interposed import interposed
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


class Hanging:
    """What a server does that stands still: it takes every call and answers none, until it goes on.

    While it has an `error`, it refuses every call.
    """

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.error: Exception | None = None

    async def __call__(self, method: str, call: Callable[[], Awaitable[Any]]) -> Any:
        await self.goes_on.wait()
        if self.error is not None:
            raise self.error
        return await call()


@asynccontextmanager
async def scheduling(
    clock: ManualClock, hooks: RecordingHooks, *, store: JobStore, queue: Queue, lock: Lock
) -> AsyncIterator[Scheduler]:
    dependencies = Dependencies(hooks, Random(1))
    scheduler = Scheduler(store, queue, lock, clock=clock, hooks=hooks, dependencies=dependencies)
    scheduler.start()
    yield scheduler
    await scheduler.stop(at_once=True)


async def due_every_second(scene: Scene, seconds: int) -> None:
    for second in range(1, seconds + 1):
        await scene.job(schedule=OneTimeSchedule(NOW + timedelta(seconds=second)))


def planned_late(hooks: RecordingHooks) -> list[float]:
    """By how many seconds everything was planned late."""
    return [
        (planned_at - plan.execution.scheduled_for).total_seconds()  # type: ignore[attr-defined, operator]
        for plan, planned_at in hooks.named("execution_planned")
    ]


@pytest.mark.parametrize("what", ["lock", "queue"])
async def test_what_does_not_answer_holds_up_no_plan(clock: ManualClock, what: str) -> None:
    hooks, hanging, database = RecordingHooks(), Hanging(), MemoryDatabase()
    store, queue, lock = MemoryJobStore(database), MemoryQueue(clock), MemoryLock(clock)
    await due_every_second(Scene(store, MemoryAccountStore(database)), 20)
    hung_queue = interposed(queue, Queue, hanging) if what == "queue" else queue
    hung_lock = interposed(lock, Lock, hanging) if what == "lock" else lock
    async with scheduling(clock, hooks, store=store, queue=hung_queue, lock=hung_lock):
        await clock.advance(0.5)
        hanging.goes_on.clear()
        await clock.advance(20)
    late = planned_late(hooks)
    assert len(late) == 20
    assert max(late) == 0


async def test_a_follower_helps_a_stuck_leader_and_says_so(clock: ManualClock) -> None:
    hooks, database = RecordingHooks(), MemoryDatabase()
    store, queue, lock = MemoryJobStore(database), MemoryQueue(clock), MemoryLock(clock)
    await due_every_second(Scene(store, MemoryAccountStore(database)), 5)
    assert isinstance(await lock.acquire(LOCK_NAME, timedelta(hours=1), clock.now()), Lease)
    async with scheduling(clock, hooks, store=store, queue=queue, lock=lock):
        await clock.advance(10)
    assert [3 <= late <= 4 for late in planned_late(hooks)] == [True] * 5
    assert {overdue for overdue, _ in hooks.named("overdue_found")} == {timedelta(seconds=3)}


async def test_a_follower_blames_no_leader_for_what_was_stored_when_it_had_passed(clock: ManualClock) -> None:
    """A single instant may be up to a minute ago when it is written; the leader learns of it only then."""
    hooks, database = RecordingHooks(), MemoryDatabase()
    store, queue, lock = MemoryJobStore(database), MemoryQueue(clock), MemoryLock(clock)
    scene = Scene(store, MemoryAccountStore(database))
    assert isinstance(await lock.acquire(LOCK_NAME, timedelta(hours=1), clock.now()), Lease)
    async with scheduling(clock, hooks, store=store, queue=queue, lock=lock):
        await clock.advance(9.5)
        passed = clock.now() - timedelta(seconds=40)
        await scene.job(schedule=OneTimeSchedule(passed), next_run=passed, created_at=clock.now())
        await clock.advance(1)
        assert len(planned_late(hooks)) == 1
    assert hooks.named("overdue_found") == []


async def test_a_follower_blames_no_leader_for_an_outage_of_the_database(clock: ManualClock) -> None:
    """Nobody could plan; who plans first when it is back may be a follower."""
    hooks, hanging, database = RecordingHooks(), Hanging(), MemoryDatabase()
    store, queue, lock = MemoryJobStore(database), MemoryQueue(clock), MemoryLock(clock)
    await due_every_second(Scene(store, MemoryAccountStore(database)), 5)
    assert isinstance(await lock.acquire(LOCK_NAME, timedelta(hours=1), clock.now()), Lease)
    async with scheduling(clock, hooks, store=interposed(store, JobStore, hanging), queue=queue, lock=lock):
        await clock.advance(0.5)
        hanging.error = StoreUnavailable("the database is away")
        await clock.advance(10)
        hanging.error = None
        await clock.advance(2)
    assert len(planned_late(hooks)) == 5
    assert hooks.named("overdue_found") == []


async def test_while_the_lock_is_away_the_dead_are_still_buried(clock: ManualClock) -> None:
    """Nobody can lead then, maybe for hours; nobody may wait for that to get its execution back."""
    hooks, hanging, database = RecordingHooks(), Hanging(), MemoryDatabase()
    store, queue, lock = MemoryJobStore(database), MemoryQueue(clock), MemoryLock(clock)
    scene = Scene(store, MemoryAccountStore(database))
    claim = await scene.running(await scene.job())
    hanging.error = LockUnavailable("the lock is away")
    away = interposed(lock, Lock, hanging)
    async with (
        scheduling(clock, hooks, store=store, queue=queue, lock=away) as one,
        scheduling(clock, hooks, store=store, queue=queue, lock=away) as other,
    ):
        await clock.advance(10)
        assert not one.leads
        assert not other.leads
    assert len(hooks.named("worker_buried")) == 1
    assert [verdict.execution_id for verdict in hooks.named("executions_lost")[0][0]] == [claim.execution_id]  # type: ignore[attr-defined]
    assert (await scene.now_of(claim)).status is ExecutionStatus.QUEUED


async def test_a_node_whose_planning_hangs_gives_the_lead_back(clock: ManualClock) -> None:
    hooks, others_hooks, hanging, database = RecordingHooks(), RecordingHooks(), Hanging(), MemoryDatabase()
    store, queue, lock = MemoryJobStore(database), MemoryQueue(clock), MemoryLock(clock)
    await due_every_second(Scene(store, MemoryAccountStore(database)), 10)
    stuck = interposed(store, JobStore, hanging)
    async with scheduling(clock, hooks, store=stuck, queue=queue, lock=lock) as leader:
        await clock.advance(0.5)
        assert leader.leads
        async with scheduling(clock, others_hooks, store=store, queue=queue, lock=lock) as follower:
            await clock.advance(0.4)
            hanging.goes_on.clear()
            await clock.advance(9.5)
            assert follower.leads
            assert hooks.named("leadership_changed")[-1] == (False, "its planning hangs")
            assert max(planned_late(others_hooks)) <= 2
            hanging.goes_on.set()
            await clock.advance(5)
            assert not leader.leads
    assert len(planned_late(hooks)) + len(planned_late(others_hooks)) == 10


async def test_a_scheduler_that_stops_plans_no_more_than_the_batch_under_way(clock: ManualClock) -> None:
    """Another one goes on with the rest: nobody waits for a whole backlog."""
    hooks, database = RecordingHooks(), MemoryDatabase()
    store, queue, lock = MemoryJobStore(database), MemoryQueue(clock), MemoryLock(clock)
    await Scene(store, MemoryAccountStore(database)).jobs(500, schedule=OneTimeSchedule(NOW), next_run=NOW)

    async def slow(method: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if method == "plan":
            await clock.sleep(0.1)
        return await call()

    async with scheduling(clock, hooks, store=interposed(store, JobStore, slow), queue=queue, lock=lock) as scheduler:
        await clock.advance(0.15)
        began = len(hooks.named("execution_planned"))
        stopping = asyncio.create_task(scheduler.stop())
        await clock.advance(10)
        await stopping
    assert 0 < began < len(hooks.named("execution_planned")) < 500

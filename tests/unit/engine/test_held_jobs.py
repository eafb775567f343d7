"""Jobs that other transactions hold: they are planned when they are let go, and nothing else is late."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.job import Job
from cronhook_core.domain.planning import JobPlan
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.leadership import LOCK_NAME
from cronhook_core.engine.scheduler import FIRST_BATCH, HEAD_START, SHORTEST_SLEEP, Scheduler
from cronhook_core.errors import StoreBusy
from cronhook_core.ports.lock import Lease
from cronhook_core.testing.builders import NOW, make_definition
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks

FAR_TOO_OFTEN = 5000


class HeldRows(MemoryJobStore):
    """Plans skip the jobs ``held``; ``blocking`` are such that the store waits for in vain."""

    def __init__(self, database: MemoryDatabase, clock: ManualClock) -> None:
        super().__init__(database)
        self._clock = clock
        self.held: set[str] = set()
        self.blocking: set[str] = set()
        self.calls: list[tuple[float, int, int]] = []
        """When plans were applied, how many, and how many executions were queued."""

    async def plan(self, plans: Sequence[JobPlan], now: datetime, *, wait: bool = False) -> Sequence[str]:
        assert len(self.calls) < FAR_TOO_OFTEN, "it spins"
        ids = {plan.job_id for plan in plans}
        blocked = bool(ids & self.blocking)
        free = [] if blocked else [plan for plan in plans if plan.job_id not in self.held]
        queued = await super().plan(free, now, wait=wait)
        self.calls.append((self._clock.monotonic(), len(plans), len(queued)))
        if blocked:
            raise StoreBusy("canceling statement due to lock timeout")
        return queued


class Node:
    """A scheduler on a store of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.hooks = RecordingHooks()
        database = MemoryDatabase()
        self.store = HeldRows(database, self.clock)
        self.scene = Scene(self.store, MemoryAccountStore(database))
        self.lock = MemoryLock(self.clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        scheduler = Scheduler(
            self.store,
            MemoryQueue(self.clock),
            self.lock,
            clock=self.clock,
            hooks=self.hooks,
            dependencies=Dependencies(self.hooks, Random(1)),
        )
        scheduler.start()
        yield
        await scheduler.stop(at_once=True)
        assert self.hooks.named("pass_failed") == []
        assert self.hooks.named("dependency_changed") == []

    async def due_in(self, seconds: float, count: int = 1) -> list[Job]:
        """Jobs of one instant, in the order in which they are due."""
        jobs = await self.scene.jobs(count, schedule=OneTimeSchedule(NOW + timedelta(seconds=seconds)))
        return sorted(jobs, key=lambda job: job.id)

    def lateness(self) -> dict[str, float]:
        """By how many seconds each job was planned late."""
        planned = self.hooks.named("execution_planned")
        return {
            plan.job_id: (at - plan.expected_next_run).total_seconds()  # type: ignore[attr-defined, operator]
            for plan, at in planned
        }


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.mark.parametrize("count", [1, FIRST_BATCH, 1200])
async def test_held_jobs_that_are_due_first_delay_no_other(node: Node, count: int) -> None:
    held = await node.due_in(1, count)
    others = [*await node.due_in(1.001, 60), *[job for second in (2, 3, 4) for job in await node.due_in(second)]]
    node.store.held = {job.id for job in held}
    async with node.running():
        await node.clock.advance(6)
        assert node.lateness().keys() == {job.id for job in others}
        assert max(node.lateness().values()) <= 2 * SHORTEST_SLEEP
        node.store.held = set()
        await node.clock.advance(2 * SHORTEST_SLEEP)
        assert node.lateness().keys() == {job.id for job in (*held, *others)}
        assert len(node.hooks.named("leadership_changed")) == 1


async def test_a_held_job_is_tried_again_and_again_but_not_without_pause(node: Node) -> None:
    [held] = await node.due_in(1)
    node.store.held = {held.id}
    async with node.running():
        await node.clock.advance(3)
    tries = Counter(round(at, 3) for at, _, _ in node.store.calls)
    assert len(tries) > 20
    assert min(after - before for before, after in pairwise(tries)) >= SHORTEST_SLEEP * 0.99
    assert max(tries.values()) <= 2, "once as it was foreseen, once as it is"


async def test_held_jobs_are_not_taken_for_planned_by_others(node: Node) -> None:
    """The rest of what was foreseen for the instant needs no second look."""
    jobs = await node.due_in(10, FIRST_BATCH + 100)
    node.store.held = {job.id for job in jobs[:FIRST_BATCH]}
    async with node.running():
        await node.clock.advance(10 + HEAD_START)
    assert node.store.calls[:2] == [(10, FIRST_BATCH, 0), (10 + HEAD_START, 100, 100)]


async def test_a_batch_that_meets_a_lock_is_halved_until_the_others_are_planned(node: Node) -> None:
    jobs = await node.due_in(1, 200)
    node.store.blocking = {jobs[0].id}
    async with node.running():
        await node.clock.advance(2)
        assert node.lateness().keys() == {job.id for job in jobs[1:]}
        sizes = [size for _, size, _ in node.store.calls if size < FIRST_BATCH]
        assert min(sizes) == 1
        assert node.hooks.named("store_busy")
        node.store.blocking = set()
        await node.clock.advance(1)
        assert len(node.lateness()) == len(jobs)
        assert len(node.hooks.named("leadership_changed")) == 1


async def test_a_follower_blames_no_leader_for_a_held_job(node: Node) -> None:
    [held] = await node.due_in(1)
    node.store.held = {held.id}
    assert isinstance(await node.lock.acquire(LOCK_NAME, timedelta(hours=1), NOW), Lease)
    async with node.running():
        await node.clock.advance(10)
        node.store.held = set()
        await node.clock.advance(1.1)
        assert node.lateness().keys() == {held.id}
    assert node.hooks.named("overdue_found") == []


async def test_the_end_of_a_held_job_is_announced_once(node: Node) -> None:
    nowhere = make_definition(schedule=CronSchedule.stored("* * * * *", "Europe/Atlantis"))
    async with node.running():
        await node.clock.advance(2)
        job = await node.scene.job()
        await node.scene.change(job, job.changed(NOW, definition=nowhere))
        node.store.held = {job.id}
        await node.clock.advance(60)
        node.store.held = set()
        await node.clock.advance(2)
    assert len(node.hooks.named("job_unplannable")) == 1

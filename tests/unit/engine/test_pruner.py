"""What the leader forgets, in the end."""

from datetime import timedelta

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.domain.job import Job
from cronhook_core.engine.pruner import BATCH, INTERVAL, PAUSE_BETWEEN_BATCHES, Pruner
from cronhook_core.testing.builders import succeeded
from cronhook_core.testing.job_store.scene import LATER, Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks

RETENTION = timedelta(days=30)


class Node:
    """A leader whose clock stands at the end of the retention of what ended at LATER."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        self.store = MemoryJobStore(self.database)
        self.scene = Scene(self.store, MemoryAccountStore(self.database))
        self.clock = ManualClock(LATER + RETENTION)
        self.clock_jumps = False
        self.pruner = Pruner(
            self.store,
            clock=self.clock,
            hooks=RecordingHooks(),
            leads=lambda: True,
            retention=RETENTION,
            clock_jumps=lambda: self.clock_jumps,
        )

    async def exists(self, job: Job) -> bool:
        """Whether the job has a row, which no read shows of a deleted one."""
        return self.store._db.jobs.get(job.id) is not None


async def test_after_the_retention_nothing_is_left_of_ended_one_time_jobs_and_of_deleted_ones() -> None:
    node = Node()
    once, deleted, active = [], [], await node.scene.job()
    for number in range(10):
        job, execution = await node.scene.due_once()
        await node.store.finish([succeeded(await node.scene.claim(execution), LATER)], LATER)
        (deleted if number % 2 else once).append(job)
    for job in deleted:
        await node.scene.delete(job)
    await node.pruner.run_once()
    assert all([await node.exists(job) for job in (*once, *deleted)])
    node.clock.step(1)
    assert await node.pruner.run_once() == INTERVAL
    assert not any([await node.exists(job) for job in (*once, *deleted)])
    for job in (*once, *deleted):
        assert await node.store.list_executions(job.workspace_id, job.id, limit=10) == []
    assert await node.exists(active)


async def test_there_is_a_short_pause_while_there_is_more() -> None:
    node = Node()
    for job in await node.scene.jobs(BATCH + 1):
        await node.scene.delete(job)
    node.clock.step(1)
    assert [await node.pruner.run_once() for _ in range(2)] == [PAUSE_BETWEEN_BATCHES, INTERVAL]


async def test_nothing_goes_while_the_clock_refuses_a_jump() -> None:
    node = Node()
    job = await node.scene.job()
    await node.scene.delete(job)
    node.clock.step(1)
    node.clock_jumps = True
    assert await node.pruner.run_once() == INTERVAL
    assert await node.exists(job)
    assert await node.store.believed_clock() is None
    node.clock_jumps = False
    await node.pruner.run_once()
    assert not await node.exists(job)


async def test_the_clock_is_remembered_as_it_goes() -> None:
    node = Node()
    for _ in range(2):
        await node.pruner.run_once()
        assert await node.store.believed_clock() == node.clock.now()
        await node.clock.advance(60)

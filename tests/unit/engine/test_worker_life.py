"""A worker's registrations: it has one id at a time, and says which."""

from datetime import timedelta
from random import Random

from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.worker_life import WorkerLife
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks


async def test_each_registration_is_announced_under_its_id() -> None:
    clock, hooks = ManualClock(NOW), RecordingHooks()
    store, held = MemoryJobStore(MemoryDatabase()), ["something"]
    database = Dependencies(hooks, Random(1)).database
    life = WorkerLife(store, clock=clock, random=Random(1), database=database, hooks=hooks, is_idle=lambda: not held)
    await life.run_once()
    first = life.worker_id
    assert first is not None
    assert hooks.named("worker_registered") == [(first, NOW)]
    assert await store.bury_worker(first, 0, NOW)
    await clock.advance(2)
    await life.run_once()
    await life.run_once()
    assert (life.trusted, life.worker_id) == (False, first)
    held.clear()
    await life.run_once()
    assert hooks.named("worker_registered") == [(first, NOW), (life.worker_id, NOW + timedelta(seconds=2))]
    assert life.worker_id != first

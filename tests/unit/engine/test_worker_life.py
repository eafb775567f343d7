"""A worker's registrations: it has one id at a time, and says which."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.worker_life import WorkerLife
from cronhook_core.errors import StoreUnavailable
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks


class Unheard(MemoryJobStore):
    """It registers workers; its answer comes the second time only."""

    async def register_worker(self, worker_id: str, now: datetime) -> None:
        known = [beat.worker_id for beat in await self.worker_beats()]
        await super().register_worker(worker_id, now)
        if worker_id not in known:
            raise StoreUnavailable("the answer was lost")


async def test_a_registration_without_an_answer_is_made_again_under_the_same_id() -> None:
    clock, hooks = ManualClock(NOW), RecordingHooks()
    store = Unheard(MemoryDatabase())
    life = life_of(store, clock, hooks)
    await life.run_once()
    (orphan,) = await store.worker_beats()
    assert (life.worker_id, hooks.named("worker_registered")) == (None, [])
    await life.run_once()
    assert life.worker_id == orphan.worker_id
    assert hooks.named("worker_registered") == [(orphan.worker_id, NOW)]


async def test_a_registration_without_an_answer_is_forgotten_at_the_end() -> None:
    store = Unheard(MemoryDatabase())
    life = life_of(store, ManualClock(NOW), RecordingHooks())
    await life.run_once()
    await life.end()
    assert await store.worker_beats() == []


def life_of(store: MemoryJobStore, clock: ManualClock, hooks: RecordingHooks, held: Sequence[str] = ()) -> WorkerLife:
    database = Dependencies(hooks, Random(1)).database
    return WorkerLife(store, clock=clock, random=Random(1), database=database, hooks=hooks, is_idle=lambda: not held)


async def test_each_registration_is_announced_under_its_id() -> None:
    clock, hooks = ManualClock(NOW), RecordingHooks()
    store, held = MemoryJobStore(MemoryDatabase()), ["something"]
    life = life_of(store, clock, hooks, held)
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

from collections.abc import Sequence
from datetime import datetime

import pytest

from cronhook_core.domain.claim import Verdict
from cronhook_core.domain.worker_life import WorkerBeat
from cronhook_core.engine.reaper import Reaper
from cronhook_core.errors import StoreBusy, StoreUnavailable
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks


class Registry:
    """One worker whose beat moves when a test says so, on a database that can be away.

    ``held`` are the ids of workers whose rows another transaction holds; ``silent`` are further workers.
    """

    def __init__(self) -> None:
        self.beat_count = 1
        self.away = False
        self.may_write = True
        self.silent: list[str] = []
        self.held: set[str] = set()
        self.abandoned_are_held = False
        self.looks_for_abandoned = 0
        self.buried: list[tuple[str, int]] = []

    async def worker_beats(self) -> Sequence[WorkerBeat]:
        if self.away:
            raise StoreUnavailable("the database is away")
        buried = {worker_id for worker_id, _ in self.buried}
        beats = [WorkerBeat(worker_id=name, beat=self.beat_count) for name in ("wrk_1", *self.silent)]
        return [beat for beat in beats if beat.worker_id not in buried]

    async def bury_worker(self, worker_id: str, beat: int, now: datetime) -> bool:
        if not self.may_write:
            raise StoreUnavailable("the database only reads")
        if worker_id in self.held:
            raise StoreBusy("another transaction holds the worker's row")
        self.buried.append((worker_id, beat))
        return True

    async def lose_abandoned(self, now: datetime, limit: int) -> Sequence[Verdict]:
        self.looks_for_abandoned += 1
        if self.abandoned_are_held:
            raise StoreBusy("another transaction holds the row of a job")
        return []

    async def register_worker(self, worker_id: str, now: datetime) -> None: ...
    async def beat(self, worker_id: str, now: datetime) -> bool:
        return True

    async def retire_worker(self, worker_id: str) -> None: ...


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def registry() -> Registry:
    return Registry()


def reaper(registry: Registry, clock: ManualClock, *, leads: bool = True) -> Reaper:
    return Reaper(registry, clock=clock, hooks=RecordingHooks(), leads=lambda: leads)


async def look(subject: Reaper, clock: ManualClock, times: int) -> None:
    for _ in range(times):
        await clock.advance(await subject.run_once())


async def test_a_silent_worker_is_buried_after_eight_seconds(registry: Registry, clock: ManualClock) -> None:
    subject = reaper(registry, clock)
    await look(subject, clock, 8)
    assert registry.buried == []
    await look(subject, clock, 1)
    assert registry.buried == [("wrk_1", 1)]


async def test_a_worker_that_beats_lives(registry: Registry, clock: ManualClock) -> None:
    subject = reaper(registry, clock)
    for _ in range(20):
        await look(subject, clock, 2)
        registry.beat_count += 1
    assert registry.buried == []


async def test_a_database_outage_is_silence_of_the_observer(registry: Registry, clock: ManualClock) -> None:
    subject = reaper(registry, clock)
    await look(subject, clock, 5)
    registry.away = True
    await look(subject, clock, 60)
    registry.away = False
    await look(subject, clock, 2)
    assert registry.buried == []


async def test_a_database_that_takes_no_burial_took_no_beat_either(registry: Registry, clock: ManualClock) -> None:
    subject = reaper(registry, clock)
    registry.may_write = False
    await look(subject, clock, 9)
    registry.may_write = True
    await look(subject, clock, 8)
    assert registry.buried == []
    await look(subject, clock, 1)
    assert registry.buried == [("wrk_1", 1)]


async def test_a_reaper_that_was_paused_counts_no_silence(registry: Registry, clock: ManualClock) -> None:
    subject = reaper(registry, clock)
    await look(subject, clock, 2)
    await clock.advance(600)
    await look(subject, clock, 2)
    assert registry.buried == []


async def test_a_step_of_the_wall_clock_counts_no_silence(registry: Registry, clock: ManualClock) -> None:
    subject = reaper(registry, clock)
    await look(subject, clock, 2)
    clock.step(3600)
    await look(subject, clock, 2)
    assert registry.buried == []


async def test_only_the_leader_buries(registry: Registry, clock: ManualClock) -> None:
    await look(reaper(registry, clock, leads=False), clock, 30)
    assert registry.buried == []


async def test_an_abandoned_execution_that_is_held_resets_no_silence(registry: Registry, clock: ManualClock) -> None:
    registry.abandoned_are_held = True
    await look(reaper(registry, clock), clock, 9)
    assert registry.buried == [("wrk_1", 1)]


async def test_a_worker_whose_row_is_held_keeps_no_other_from_being_buried(
    registry: Registry, clock: ManualClock
) -> None:
    registry.silent = ["wrk_2"]
    registry.held = {"wrk_1"}
    subject = reaper(registry, clock)
    await look(subject, clock, 9)
    assert registry.buried == [("wrk_2", 1)]
    assert registry.looks_for_abandoned == 9, "what the dead held is taken away all the same"
    registry.held = set()
    await look(subject, clock, 1)
    assert registry.buried == [("wrk_2", 1), ("wrk_1", 1)]

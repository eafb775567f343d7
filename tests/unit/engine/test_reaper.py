from collections.abc import Sequence
from datetime import datetime

import pytest

from cronhook_core.domain.claim import Verdict
from cronhook_core.domain.worker_life import WorkerBeat
from cronhook_core.engine.reaper import Reaper
from cronhook_core.errors import StoreUnavailable
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks


class Registry:
    """One worker whose beat moves when a test says so, on a database that can be away."""

    def __init__(self) -> None:
        self.beat_count = 1
        self.away = False
        self.may_write = True
        self.buried: list[tuple[str, int]] = []

    async def worker_beats(self) -> Sequence[WorkerBeat]:
        if self.away:
            raise StoreUnavailable("the database is away")
        return [] if self.buried else [WorkerBeat(worker_id="wrk_1", beat=self.beat_count)]

    async def bury_worker(self, worker_id: str, beat: int, now: datetime) -> bool:
        if not self.may_write:
            raise StoreUnavailable("the database only reads")
        self.buried.append((worker_id, beat))
        return True

    async def lose_abandoned(self, now: datetime, limit: int) -> Sequence[Verdict]:
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

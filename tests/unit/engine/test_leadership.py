import asyncio
from datetime import datetime, timedelta
from random import Random

import pytest

from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.engine.availability import Dependency
from cronhook_core.engine.leadership import Leadership, LeaseTimes
from cronhook_core.errors import LockUnavailable
from cronhook_core.ports.lock import Held, Lease
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock, settle
from cronhook_core.testing.recording_hooks import RecordingHooks


class FlakyLock(MemoryLock):
    away = False
    slow_by = 0.0
    """Seconds that an answer to a renewal takes."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self._manual = clock

    async def acquire(self, name: str, ttl: timedelta, now: datetime) -> Lease | Held:
        self._answer()
        return await super().acquire(name, ttl, now)

    async def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> bool:
        self._answer()
        if self.slow_by:
            await self._manual.sleep(self.slow_by)
        return await super().renew(lease, ttl, now)

    def _answer(self) -> None:
        if self.away:
            raise LockUnavailable("the lock is away")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def lock(clock: ManualClock) -> FlakyLock:
    return FlakyLock(clock)


def candidate(lock: MemoryLock, clock: ManualClock) -> Leadership:
    hooks = RecordingHooks()
    dependency = Dependency("lock", hooks, Random(1))
    return Leadership(lock, clock=clock, hooks=hooks, dependency=dependency, times=LeaseTimes())


async def test_one_of_two_leads(lock: FlakyLock, clock: ManualClock) -> None:
    first, second = candidate(lock, clock), candidate(lock, clock)
    assert (await first.keep(), await second.keep()) == (True, False)
    assert (first.leads, second.leads) == (True, False)


async def test_a_leader_that_renews_keeps_leading(lock: FlakyLock, clock: ManualClock) -> None:
    first, second = candidate(lock, clock), candidate(lock, clock)
    await first.keep()
    for _ in range(20):
        await clock.advance(0.3)
        assert await first.keep()
        assert not await second.keep()


@pytest.mark.parametrize("taken_at", [0.0, 0.1, 0.29, 0.45])
async def test_a_renewal_that_was_answered_late_is_repeated_at_once(
    lock: FlakyLock, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, taken_at: float
) -> None:
    """Its life is counted from when it was asked for, and little of that is left."""
    first = candidate(lock, clock)
    await clock.advance(taken_at)
    await first.keep()
    await clock.advance(first.next_request_in)
    monkeypatch.setattr(lock, "slow_by", 0.9)
    renewing = asyncio.create_task(first.keep())
    await clock.advance(0.9)
    assert await renewing
    assert first.next_request_in == 0


async def test_a_leader_that_stops_renewing_stops_trusting_itself_before_another_leads(
    lock: FlakyLock, clock: ManualClock
) -> None:
    first, second = candidate(lock, clock), candidate(lock, clock)
    await first.keep()
    await second.keep()
    await clock.advance(1.4)
    assert not first.leads
    assert not await second.keep()
    await clock.advance(0.2)
    assert await second.keep()
    assert not await first.keep()


async def test_resigning_wakes_a_follower(lock: FlakyLock, clock: ManualClock) -> None:
    first, second = candidate(lock, clock), candidate(lock, clock)
    await first.keep()
    await second.keep()
    waiting = asyncio.ensure_future(second.wait(1.0))
    await settle()
    await first.resign("it stops")
    await settle()
    assert waiting.done()
    assert await second.keep()
    assert clock.now() == NOW


async def test_a_lock_that_is_away_is_known_to_be(lock: FlakyLock, clock: ManualClock) -> None:
    leader = candidate(lock, clock)
    await leader.keep()
    lock.away = True
    await clock.advance(0.3)
    assert await leader.keep(), "it trusts itself until its lease ends"
    assert leader.lock_away
    await clock.advance(2.0)
    assert not await leader.keep()
    lock.away = False
    await clock.advance(1.0)
    assert await leader.keep()
    assert not leader.lock_away

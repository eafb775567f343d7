"""The local halves of Queue.wait and Lock.wait_released, and waiting for an event by a clock."""

import asyncio
import gc
from datetime import timedelta

import pytest

from cronhook_core.backends.announcements import Announcements
from cronhook_core.backends.clocks import happens_within
from cronhook_core.backends.releases import Releases
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.elapsing import soon
from cronhook_core.testing.manual_clock import ManualClock, settle

AT_ONCE = timedelta(0)
LONG = timedelta(minutes=10)
SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def announcements(clock: ManualClock) -> Announcements:
    return Announcements(clock)


@pytest.fixture
def releases(clock: ManualClock) -> Releases:
    return Releases(clock)


async def test_of_several_announcements_the_earliest_is_told_once(announcements: Announcements) -> None:
    assert await announcements.wait(AT_ONCE) is None
    for seconds in (3, 1, 2):
        announcements.tell(NOW + seconds * SECOND)
    assert await announcements.wait(AT_ONCE) == NOW + SECOND
    assert await announcements.wait(AT_ONCE) is None


async def test_every_task_is_told_by_itself(announcements: Announcements) -> None:
    assert await announcements.wait(AT_ONCE) is None
    other = asyncio.create_task(announcements.wait(LONG))
    await settle()
    announcements.tell(NOW)
    assert await soon(other) == NOW
    assert await announcements.wait(AT_ONCE) == NOW


async def test_an_ended_task_is_forgotten(announcements: Announcements) -> None:
    for _ in range(10):
        await asyncio.create_task(announcements.wait(AT_ONCE))
    await asyncio.sleep(0)
    gc.collect()
    assert len(announcements._mailboxes) == 0


async def test_a_release_after_asking_is_noticed_once(releases: Releases, clock: ManualClock) -> None:
    releases.asking("leader")
    releases.tell("leader")
    await soon(asyncio.create_task(releases.wait("leader", LONG)))
    again = asyncio.create_task(releases.wait("leader", SECOND))
    await settle()
    assert not again.done()
    await clock.advance(1)
    assert again.done()


async def test_a_release_before_asking_is_not_noticed(releases: Releases, clock: ManualClock) -> None:
    releases.asking("leader")
    releases.tell("leader")
    releases.asking("leader")
    waiting = asyncio.create_task(releases.wait("leader", SECOND))
    await settle()
    assert not waiting.done()
    await clock.advance(1)


async def test_ones_own_release_is_not_noticed(releases: Releases, clock: ManualClock) -> None:
    releases.asking("leader")
    releases.granted("leader")
    releases.tell("leader")
    waiting = asyncio.create_task(releases.wait("leader", SECOND))
    await settle()
    assert not waiting.done()
    await clock.advance(1)


async def test_nothing_is_kept_of_names_that_nobody_asks_for(releases: Releases) -> None:
    for number in range(10):
        releases.tell(f"name {number}")
        await releases.wait(f"name {number}", AT_ONCE)
    assert not releases._missed
    assert not releases._waiting


async def test_an_event_ends_the_wait(clock: ManualClock) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(happens_within(event, 10, clock))
    await clock.advance(9)
    event.set()
    assert await soon(waiting) is True
    await settle()
    assert clock.sleepers == 0


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_no_time_is_no_wait(clock: ManualClock, seconds: float) -> None:
    event = asyncio.Event()
    assert await happens_within(event, seconds, clock) is False
    event.set()
    assert await happens_within(event, seconds, clock) is True


async def test_a_cancelled_wait_leaves_no_sleeper(clock: ManualClock) -> None:
    waiting = asyncio.create_task(happens_within(asyncio.Event(), 10, clock))
    await clock.until_sleeping()
    waiting.cancel()
    await asyncio.wait([waiting])
    await settle()
    assert clock.sleepers == 0

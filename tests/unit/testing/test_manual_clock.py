import asyncio
from datetime import datetime, timedelta, timezone

import pytest
import uvloop

from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock, settle


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


class Log:
    """Tasks that sleep again and again, and when each woke."""

    def __init__(self, clock: ManualClock) -> None:
        self.woken: list[tuple[str, float]] = []
        self._clock = clock

    async def sleep(self, name: str, *naps: float) -> None:
        for seconds in naps:
            await self._clock.sleep(seconds)
            self.woken.append((name, self._clock.monotonic()))


async def test_time_stands_still_by_itself(clock: ManualClock) -> None:
    await asyncio.sleep(0.01)
    assert (clock.now(), clock.monotonic()) == (NOW, 0.0)


async def test_sleepers_wake_at_their_own_deadlines_in_order(clock: ManualClock) -> None:
    log = Log(clock)
    tasks = [asyncio.create_task(log.sleep(*nap)) for nap in (("slow", 2), ("quick", 0.5, 0.5), ("last", 3))]
    await clock.advance(2.5)
    assert log.woken == [("quick", 0.5), ("quick", 1.0), ("slow", 2.0)]
    assert (clock.now(), clock.monotonic()) == (NOW + timedelta(seconds=2.5), 2.5)
    await clock.advance(0.5)
    assert log.woken[-1] == ("last", 3.0)
    await asyncio.gather(*tasks)


async def test_those_with_one_deadline_wake_in_the_order_they_came(clock: ManualClock) -> None:
    log = Log(clock)
    tasks = [asyncio.create_task(log.sleep(name, 1)) for name in "abc"]
    await clock.advance(1)
    assert log.woken == [("a", 1.0), ("b", 1.0), ("c", 1.0)]
    await asyncio.gather(*tasks)


async def test_all_that_can_run_has_run_before_time_moves_on(clock: ManualClock) -> None:
    seen: list[float] = []

    async def work() -> None:
        await clock.sleep(1)
        for _ in range(500):
            await asyncio.sleep(0)
        await asyncio.create_task(asyncio.sleep(0))
        seen.append(clock.monotonic())

    working = asyncio.create_task(work())
    other = asyncio.create_task(clock.sleep(1.001))
    await clock.advance(2)
    assert seen == [1.0]
    await asyncio.gather(working, other)


async def test_fractions_add_up_to_the_microsecond(clock: ManualClock) -> None:
    log = Log(clock)
    task = asyncio.create_task(log.sleep("a", *[0.1] * 10))
    await clock.advance(1)
    assert log.woken[-1] == ("a", 1.0)
    await task


async def test_the_shortest_sleep_takes_a_microsecond(clock: ManualClock) -> None:
    task = asyncio.create_task(clock.sleep(1e-12))
    await clock.advance(1e-6)
    assert task.done()


async def test_a_step_moves_the_wall_clock_alone(clock: ManualClock) -> None:
    task = asyncio.create_task(clock.sleep(10))
    await clock.until_sleeping()
    clock.step(3600)
    await settle()
    assert (clock.now(), clock.monotonic(), task.done()) == (NOW + timedelta(hours=1), 0.0, False)
    clock.step(-7200)
    assert clock.now() == NOW - timedelta(hours=1)
    await clock.advance(10)
    assert task.done()


async def test_it_tells_when_somebody_sleeps(clock: ManualClock) -> None:
    waiting = asyncio.create_task(clock.until_sleeping(2))
    first = asyncio.create_task(clock.sleep(1))
    await settle()
    assert (clock.sleepers, waiting.done()) == (1, False)
    second = asyncio.create_task(clock.sleep(1))
    await settle()
    assert (clock.sleepers, waiting.done()) == (2, True)
    first.cancel()
    await settle()
    assert clock.sleepers == 1
    await clock.advance(1)
    await second


async def test_time_stops_where_a_condition_holds(clock: ManualClock) -> None:
    log = Log(clock)
    task = asyncio.create_task(log.sleep("a", 1, 1, 1))
    await clock.advance_until(lambda: len(log.woken) == 2, at_most=10)
    assert clock.monotonic() == 2.0
    with pytest.raises(AssertionError, match="after 5 s"):
        await clock.advance_until(lambda: len(log.woken) == 4, at_most=5)
    assert clock.monotonic() == 7.0
    await task


async def test_a_task_that_never_waits_is_found_out() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    spinning = asyncio.create_task(spin())
    with pytest.raises(RuntimeError, match="without ever waiting"):
        await settle()
    spinning.cancel()


def test_it_settles_on_an_event_loop_of_another_make() -> None:
    async def main() -> list[tuple[str, float]]:
        clock = ManualClock(NOW)
        log = Log(clock)
        tasks = [asyncio.create_task(log.sleep(*nap)) for nap in (("b", 2), ("a", 1, 0.5))]
        await clock.advance(2)
        await asyncio.gather(*tasks)
        return log.woken

    assert uvloop.run(main()) == [("a", 1.0), ("a", 1.5), ("b", 2.0)]


def test_it_starts_at_an_aware_instant() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(NOW.replace(tzinfo=None))
    berlin = datetime(2026, 3, 2, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    assert ManualClock(berlin).now().utcoffset() == timedelta(0)

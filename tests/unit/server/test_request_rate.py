"""How often a key may be used, by one process and by several that share a limiter."""

import asyncio
import re
from datetime import timedelta

import pytest

from cronhook_core.backends.memory.rate_limiter import MemoryRateLimiter
from cronhook_core.errors import RateLimiterUnavailable
from cronhook_core.ports.rate_limiter import Rate
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.request_rate import RequestRate

PER_SECOND, BURST, BLOCK = 50, 200, 20


class Shared(MemoryRateLimiter):
    """What several processes share. It counts how often it is asked; ``answers`` may be cleared, or ``is_away`` set."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.asked = 0
        self.is_away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def charge(self, key: str, rate: Rate, count: int, *, ago: timedelta) -> timedelta:
        self.asked += 1
        await self.answers.wait()
        if self.is_away:
            raise RateLimiterUnavailable("Redis is away")
        return await super().charge(key, rate, count, ago=ago)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def shared(clock: ManualClock) -> Shared:
    return Shared(clock)


def process(shared: Shared, clock: ManualClock) -> RequestRate:
    return RequestRate(shared, clock, per_second=PER_SECOND, burst=BURST)


async def passed(rate: RequestRate, requests: int, key: str = "key_1") -> int:
    """How many of so many requests pass; what is charged meanwhile arrives at once."""
    count = 0
    for _ in range(requests):
        count += rate.count(key).wait is None
        for _ in range(5):
            await asyncio.sleep(0)
    return count


async def test_a_burst_passes_and_then_so_many_a_second(shared: Shared, clock: ManualClock) -> None:
    rate = process(shared, clock)
    assert await passed(rate, 300) == BURST
    wait = rate.count("key_1").wait
    assert wait is not None
    assert wait.total_seconds() == pytest.approx(1 / PER_SECOND)
    await clock.advance(1)
    assert await passed(rate, 100) == PER_SECOND
    await clock.advance(60)
    assert await passed(rate, 300) == BURST


async def test_a_client_that_keeps_to_the_rate_is_never_refused(shared: Shared, clock: ManualClock) -> None:
    rate = process(shared, clock)
    for _ in range(500):
        assert await passed(rate, 1) == 1
        await clock.advance(1 / PER_SECOND)


async def test_keys_are_apart(shared: Shared, clock: ManualClock) -> None:
    rate = process(shared, clock)
    assert await passed(rate, BURST) == BURST
    assert await passed(rate, BURST, "key_2") == BURST


async def test_the_limiter_is_asked_once_a_block(shared: Shared, clock: ManualClock) -> None:
    assert await passed(process(shared, clock), 100) == 100
    assert shared.asked == 100 / BLOCK


async def test_processes_count_together_up_to_a_block_each(shared: Shared, clock: ManualClock) -> None:
    processes = [process(shared, clock) for _ in range(3)]
    most = BURST + 3 * BLOCK
    total = 0
    for _ in range(BURST):
        for rate in processes:
            total += await passed(rate, 1)
    assert BURST <= total <= most
    for second in range(1, 11):
        await clock.advance(1)
        for _ in range(2 * PER_SECOND):
            for rate in processes:
                total += await passed(rate, 1)
        assert total <= most + second * PER_SECOND
    assert total >= BURST + 9 * PER_SECOND


@pytest.mark.parametrize("is_away", [False, True])
async def test_no_request_waits_for_the_limiter(shared: Shared, clock: ManualClock, is_away: bool) -> None:
    shared.answers.clear()
    shared.is_away = is_away
    rate = process(shared, clock)
    assert [rate.count("key_1").wait is None for _ in range(300)].count(True) == BURST
    shared.answers.set()
    await passed(rate, 1)
    await clock.advance(4)
    assert await passed(rate, 300) == BURST


async def test_answers_tell_what_is_left(shared: Shared, clock: ManualClock) -> None:
    rate = process(shared, clock)
    policy, left = rate.count("key_1").headers
    assert policy == (b"ratelimit-policy", b'"default";q=200;w=4')
    assert left == (b"ratelimit", b'"default";r=199;t=1')
    await passed(rate, 120)
    assert rate.count("key_1").headers[1] == (b"ratelimit", b'"default";r=78;t=3')
    await passed(rate, 100)
    assert rate.count("key_1").headers[1] == (b"ratelimit", b'"default";r=0;t=4')
    await clock.advance(0.5)
    assert rate.count("key_1").headers[1] == (b"ratelimit", b'"default";r=24;t=4')


async def test_what_is_left_knows_of_other_processes(shared: Shared, clock: ManualClock) -> None:
    first, second = process(shared, clock), process(shared, clock)
    await passed(first, 100)
    await passed(second, BLOCK)
    assert left(second) == BURST - 100 - BLOCK - 1


async def test_the_keys_that_were_idle_for_longest_are_forgotten(shared: Shared, clock: ManualClock) -> None:
    rate = RequestRate(shared, clock, per_second=1, burst=1, bound=2)
    assert [rate.count(key).wait is None for key in "abbac"] == [True, True, False, False, True]
    assert [rate.count(key).wait is None for key in "ab"] == [False, True]
    await asyncio.sleep(0)


def left(rate: RequestRate) -> int:
    found = re.search(rb"r=([0-9]+)", rate.count("key_1").headers[1][1])
    assert found is not None
    return int(found[1])

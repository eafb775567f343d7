"""The contract suite of RateLimiter, in memory and on a real Redis or Valkey."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from cronhook_core.backends.memory.rate_limiter import MemoryRateLimiter
from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.backends.redis.rate_limiter import RedisRateLimiter
from cronhook_core.errors import RateLimiterUnavailable
from cronhook_core.ports.rate_limiter import Rate
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.elapsing import Elapse
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.rate_limiter_contract import SLOW, RateLimiterContract


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


class TestMemoryRateLimiter(RateLimiterContract):
    @pytest.fixture
    def limiter(self, clock: ManualClock) -> MemoryRateLimiter:
        return MemoryRateLimiter(clock)

    @pytest.fixture
    def other_limiter(self, limiter: MemoryRateLimiter) -> MemoryRateLimiter:
        return limiter

    @pytest.fixture
    def elapse(self, clock: ManualClock) -> Elapse:
        return clock.advance

    async def test_it_forgets_the_key_idle_for_longest(self, clock: ManualClock) -> None:
        limiter = MemoryRateLimiter(clock, bound=2)
        once = Rate(burst=1, per=timedelta(minutes=1))
        for key in ("a", "b", "c"):
            assert await limiter.take(key, once) is None
        assert await limiter.take("b", once) is not None
        assert await limiter.take("c", once) is not None
        assert await limiter.take("a", once) is None


class TestRedisRateLimiter(RateLimiterContract):
    quick = Rate(burst=2, per=timedelta(seconds=0.6))

    @pytest.fixture
    async def connection(self, redis_url: str) -> AsyncIterator[RedisConnection]:
        connection = RedisConnection.open(redis_url, prefix="test")
        yield connection
        await connection.close()

    @pytest.fixture
    def limiter(self, connection: RedisConnection) -> RedisRateLimiter:
        return RedisRateLimiter(connection)

    @pytest.fixture
    async def other_limiter(self, redis_url: str) -> AsyncIterator[RedisRateLimiter]:
        connection = RedisConnection.open(redis_url, prefix="test")
        yield RedisRateLimiter(connection)
        await connection.close()

    @pytest.fixture
    def elapse(self) -> Elapse:
        return asyncio.sleep

    async def test_a_key_expires_when_it_is_paid_off(
        self, connection: RedisConnection, limiter: RedisRateLimiter
    ) -> None:
        await limiter.take("a", SLOW)
        name = connection.key("rate", "a")
        left = await connection.call(lambda redis: redis.pttl(name), RateLimiterUnavailable)
        assert 55_000 < left <= 60_000

    async def test_redis_away(self) -> None:
        connection = RedisConnection.open("redis://127.0.0.1:1")
        with pytest.raises(RateLimiterUnavailable):
            await RedisRateLimiter(connection).take("a", SLOW)
        await connection.close()

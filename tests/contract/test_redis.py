"""The contract suites of Queue, Lock and Clock on a real Redis or Valkey, as two nodes see it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.redis.clock import RedisClock
from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.backends.redis.lock import RedisLock
from cronhook_core.backends.redis.queue import RedisQueue
from cronhook_core.testing.clock_contract import ClockContract
from cronhook_core.testing.elapsing import Elapse
from cronhook_core.testing.lock_contract import LockContract
from cronhook_core.testing.queue_contract import QueueContract


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisConnection]:
    connection = RedisConnection.open(url, prefix="test")
    yield connection
    await connection.close()


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[RedisConnection]:
    async with connected(redis_url) as opened:
        yield opened


@pytest.fixture
async def other_connection(redis_url: str) -> AsyncIterator[RedisConnection]:
    async with connected(redis_url) as opened:
        yield opened


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def elapse() -> Elapse:
    return asyncio.sleep


class TestRedisQueue(QueueContract):
    small_bound = 10
    lost_by_cancelling = 1
    propagation = 0.2

    @pytest.fixture
    def queue(self, connection: RedisConnection) -> RedisQueue:
        return RedisQueue(connection)

    @pytest.fixture
    def other_queue(self, other_connection: RedisConnection) -> RedisQueue:
        return RedisQueue(other_connection)

    @pytest.fixture
    def small_queue(self, connection: RedisConnection) -> RedisQueue:
        return RedisQueue(connection, bound=10)

    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def store(self, database: MemoryDatabase) -> MemoryJobStore:
        return MemoryJobStore(database)

    @pytest.fixture
    def accounts(self, database: MemoryDatabase) -> MemoryAccountStore:
        return MemoryAccountStore(database)


class TestRedisLock(LockContract):
    ttl = timedelta(seconds=1)

    @pytest.fixture
    def lock(self, connection: RedisConnection) -> RedisLock:
        return RedisLock(connection)

    @pytest.fixture
    def other_lock(self, other_connection: RedisConnection) -> RedisLock:
        return RedisLock(other_connection)


class TestRedisClock(ClockContract):
    """The second node's own clock is an hour ahead."""

    agreement = 0.1

    @pytest.fixture
    async def clock(self, connection: RedisConnection) -> RedisClock:
        clock = RedisClock(connection, SystemClock())
        await clock.sync()
        return clock

    @pytest.fixture
    async def other_clock(self, other_connection: RedisConnection) -> RedisClock:
        clock = RedisClock(other_connection, FastClock())
        await clock.sync()
        return clock


class FastClock(SystemClock):
    def now(self):
        return super().now() + timedelta(hours=1)

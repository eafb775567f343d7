"""The contract suites of Queue, Lock and Clock on what needs no server, in virtual time where there is any."""

import asyncio

import pytest

from cronhook_core.backends.clocks import RemoteClock, SystemClock
from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.clock_contract import ClockContract
from cronhook_core.testing.elapsing import Elapse
from cronhook_core.testing.lock_contract import LockContract
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.queue_contract import QueueContract


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def elapse(clock: ManualClock) -> Elapse:
    return clock.advance


class TestMemoryQueue(QueueContract):
    small_bound = 10

    @pytest.fixture
    def queue(self, clock: ManualClock) -> MemoryQueue:
        return MemoryQueue(clock)

    @pytest.fixture
    def other_queue(self, queue: MemoryQueue) -> MemoryQueue:
        return queue

    @pytest.fixture
    def small_queue(self, clock: ManualClock) -> MemoryQueue:
        return MemoryQueue(clock, bound=10)

    @pytest.fixture
    def database(self) -> MemoryDatabase:
        return MemoryDatabase()

    @pytest.fixture
    def store(self, database: MemoryDatabase) -> MemoryJobStore:
        return MemoryJobStore(database)

    @pytest.fixture
    def accounts(self, database: MemoryDatabase) -> MemoryAccountStore:
        return MemoryAccountStore(database)


class TestMemoryLock(LockContract):
    @pytest.fixture
    def lock(self, clock: ManualClock) -> MemoryLock:
        return MemoryLock(clock)

    @pytest.fixture
    def other_lock(self, lock: MemoryLock) -> MemoryLock:
        return lock


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()

    @pytest.fixture
    def other_clock(self) -> SystemClock:
        return SystemClock()

    @pytest.fixture
    def elapse(self) -> Elapse:
        return asyncio.sleep


class TestManualClock(ClockContract):
    @pytest.fixture
    def other_clock(self, clock: ManualClock) -> ManualClock:
        return clock


class TestRemoteClock(ClockContract):
    """Nodes whose own clocks are an hour apart follow one server."""

    @pytest.fixture
    def base(self) -> ManualClock:
        return ManualClock(NOW)

    @pytest.fixture
    async def clock(self, base: ManualClock) -> RemoteClock:
        return await self._following(base, base)

    @pytest.fixture
    async def other_clock(self, base: ManualClock) -> RemoteClock:
        node = ManualClock(NOW)
        node.step(3600)
        return await self._following(node, base)

    @pytest.fixture
    def elapse(self, base: ManualClock) -> Elapse:
        return base.advance

    async def _following(self, node: ManualClock, server: ManualClock) -> RemoteClock:
        async def read_remote():
            return server.now()

        clock = RemoteClock(node, read_remote)
        await clock.sync()
        return clock

"""The contract suites of Queue, Lock and Clock on what needs no server, in virtual time where there is any."""

import asyncio

import pytest

from cronhook_core.backends.clocks import RemoteClock, SystemClock
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.clock_contract import ClockContract
from cronhook_core.testing.elapsing import Elapse
from cronhook_core.testing.lock_contract import LockContract
from cronhook_core.testing.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def elapse(clock: ManualClock) -> Elapse:
    return clock.advance


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

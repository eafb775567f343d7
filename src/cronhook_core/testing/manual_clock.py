"""Time that moves only when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count

_MOST_TURNS = 10_000
_TURNS_OF_UNKNOWN_LOOPS = 200
_MICROSECONDS = 1_000_000


class ManualClock:
    """A `Clock` of virtual time, to the microsecond, beginning at ``start`` (an aware instant).

    `advance` moves time; `step` moves the wall clock alone. Whoever sleeps wakes at its own deadline, in order, and all
    that can run after it has run before time moves on. Work in threads and on sockets is not waited for.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime")
        self._start = start.astimezone(UTC)
        self._stepped = timedelta()
        self._elapsed = 0  # microseconds
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._somebody_sleeps = asyncio.Event()

    def now(self) -> datetime:
        return self._start + self._stepped + timedelta(microseconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed / _MICROSECONDS

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        deadline = self._elapsed + max(1, round(seconds * _MICROSECONDS))
        woken = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (deadline, next(self._order), woken))
        self._somebody_sleeps.set()
        await woken

    @property
    def sleepers(self) -> int:
        """How many calls of `sleep` wait for time to move."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    async def until_sleeping(self, sleepers: int = 1) -> None:
        """Return when at least this many calls of `sleep` wait for time to move."""
        while self.sleepers < sleepers:
            self._somebody_sleeps.clear()
            await self._somebody_sleeps.wait()

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` go by, waking every sleeper at its deadline."""
        await self._advance_to(self._elapsed + round(seconds * _MICROSECONDS), lambda: False)

    async def advance_until(self, condition: Callable[[], bool], *, at_most: float) -> None:
        """Let time go by, from deadline to deadline, until ``condition()`` holds.

        ``AssertionError`` when it still does not after ``at_most`` seconds.
        """
        await self._advance_to(self._elapsed + round(at_most * _MICROSECONDS), condition)
        if not condition():
            raise AssertionError(f"after {at_most} s it still does not hold")

    def step(self, seconds: float) -> None:
        """Step the wall clock forward (or back, below 0); no sleeper notices."""
        self._stepped += timedelta(seconds=seconds)

    async def _advance_to(self, end: int, enough: Callable[[], bool]) -> None:
        await settle()
        while not enough() and self._sleepers and self._sleepers[0][0] <= end:
            deadline, _, woken = heappop(self._sleepers)
            if not woken.done():
                self._elapsed = max(self._elapsed, deadline)
                woken.set_result(None)
                await settle()
        if not enough():
            self._elapsed = max(self._elapsed, end)
            await settle()


async def settle() -> None:
    """Let every task run until all of them wait for something that only time, a thread or a socket brings."""
    ready = getattr(asyncio.get_running_loop(), "_ready", None)
    if ready is None:
        for _ in range(_TURNS_OF_UNKNOWN_LOOPS):
            await asyncio.sleep(0)
        return
    for _ in range(_MOST_TURNS):
        await asyncio.sleep(0)
        if not ready:
            return
    raise RuntimeError("some task runs on and on without ever waiting")

"""The clock of this machine, clocks that follow a server's, and how the other backends wait by a clock."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from attrs import evolve, frozen

from cronhook_core.errors import Unavailable
from cronhook_core.ports.clock import Clock

LONGEST_STEP = timedelta(seconds=5)
"""A server's clock that moved by more than this against ours is not believed at once."""
MUST_STAND = 60.0
"""Seconds for which a greater jump must have stood before it is believed."""
FAR_APART = timedelta(hours=2)
"""A server's clock that is further from this machine's when it is first read is not believed at once.

Either may be wrong. Below this it is the machine's, mostly, and all nodes must agree.
"""
SYNC_EVERY = 5.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_log = logging.getLogger(__name__)


def _clock_that_runs_on_while_suspended() -> Callable[[], float]:
    """`time.monotonic` stands still meanwhile on Linux, where CLOCK_BOOTTIME does not (clock_gettime(2)), and on macOS,
    where CLOCK_MONOTONIC does not.
    """
    name = "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME"
    clock_id = getattr(time, name, None)
    return time.monotonic if clock_id is None else partial(time.clock_gettime, clock_id)


_time_since_boot = _clock_that_runs_on_while_suspended()


class SystemClock:
    """This machine's clocks. All nodes agree as well as their machines do.

    The time that the machine was suspended has passed on both of them.
    """

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return _time_since_boot()

    async def sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        left = seconds
        while True:
            await asyncio.sleep(max(0.0, left))
            left = deadline - time.monotonic()
            if left <= 0:  # event loops may wake up to a millisecond early
                return


@frozen(kw_only=True)
class Reading:
    """One look at a server's clock: how far it is ahead of our monotonic one, as a range, for the answer took time.

    ``at`` is our monotonic time when the answer was there.
    """

    least: timedelta
    most: timedelta
    at: float

    @classmethod
    def of(cls, remote: datetime, *, asked_at: float, answered_at: float) -> Reading:
        return cls(
            least=remote - _EPOCH - timedelta(seconds=answered_at),
            most=remote - _EPOCH - timedelta(seconds=asked_at),
            at=answered_at,
        )

    @property
    def middle(self) -> timedelta:
        return (self.least + self.most) / 2

    def nearest(self, offset: timedelta) -> timedelta:
        """The offset that this reading allows and that differs least from ``offset``."""
        return min(max(offset, self.least), self.most)


@frozen(kw_only=True)
class OffsetGuard:
    """How far a server's clock is believed to be ahead of our monotonic one, and the jump that is not believed yet.

    A reading moves the offset no further than it must, so that a slow answer moves it not at all. A jump of more than
    ``LONGEST_STEP`` is taken over when all readings of ``MUST_STAND`` seconds agree on it.
    """

    offset: timedelta
    doubted: timedelta | None = None
    doubted_since: float | None = None

    @property
    def refused_jump(self) -> timedelta | None:
        return None if self.doubted is None else self.doubted - self.offset

    def after(self, reading: Reading) -> OffsetGuard:
        if _apart(reading, self.offset) <= LONGEST_STEP:
            return OffsetGuard(offset=reading.nearest(self.offset))
        if self.doubted is None or self.doubted_since is None or _apart(reading, self.doubted) > LONGEST_STEP:
            return evolve(self, doubted=reading.middle, doubted_since=reading.at)
        doubted = reading.nearest(self.doubted)
        if reading.at - self.doubted_since >= MUST_STAND:
            return OffsetGuard(offset=doubted)
        return evolve(self, doubted=doubted)


def _apart(reading: Reading, offset: timedelta) -> timedelta:
    return abs(reading.nearest(offset) - offset)


class RemoteClock:
    """A `Clock` that shows a server's time, so that all its clients agree: local monotonic time plus an offset.

    ``read_remote`` asks the server and raises `Unavailable` when it is away; the clock then runs on. Until the first
    answer it shows the time of ``base``. Where the first answer is more than ``FAR_APART`` from that, it goes on to do
    so until the server is believed, as `refused_jump` says. `start` follows the server from then on; a repeat has no
    effect.
    """

    def __init__(
        self, base: Clock, read_remote: Callable[[], Awaitable[datetime]], *, sync_every: float = SYNC_EVERY
    ) -> None:
        self._base = base
        self._read_remote = read_remote
        self._sync_every = sync_every
        self._guard: OffsetGuard | None = None
        self._task: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        if self._guard is None:
            return self._base.now()
        return _EPOCH + self._guard.offset + timedelta(seconds=self._base.monotonic())

    def monotonic(self) -> float:
        return self._base.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._base.sleep(seconds)

    @property
    def refused_jump(self) -> timedelta | None:
        """How far the server's clock jumped, while that is not believed; None when all is well."""
        return None if self._guard is None else self._guard.refused_jump

    async def sync(self) -> None:
        """Ask the server once. Raises what ``read_remote`` raises."""
        asked_at = self._base.monotonic()
        remote = await self._read_remote()
        reading = Reading.of(remote, asked_at=asked_at, answered_at=self._base.monotonic())
        if self._guard is None:
            self._guard = self._first_guard(reading)
            return
        before, self._guard = self._guard, self._guard.after(reading)
        self._tell(before, self._guard)

    def _first_guard(self, reading: Reading) -> OffsetGuard:
        own = self._base.now() - _EPOCH - timedelta(seconds=self._base.monotonic())
        ahead = reading.nearest(own) - own
        if abs(ahead) > FAR_APART:
            _log.error(
                "the server's clock is %s ahead of this machine's (below 0: behind), and one of them is wrong; set it."
                " The server's is believed when it has stood for a minute",
                ahead,
            )
            return OffsetGuard(offset=own).after(reading)
        if abs(ahead) > LONGEST_STEP:
            _log.warning(
                "the server's clock is %s ahead of this machine's (below 0: behind), which should be set; the server's"
                " counts",
                ahead,
            )
        return OffsetGuard(offset=reading.least)  # rather behind than ahead: nothing may run early

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="cronhook-remote-clock")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _follow(self) -> None:
        while True:
            try:
                with suppress(Unavailable):
                    await self.sync()
            except Exception:  # noqa: BLE001 - the next look may be answered, and nobody else would hear of it
                _log.exception("the server's clock cannot be read")
            await self._base.sleep(self._sync_every)

    def _tell(self, before: OffsetGuard, after: OffsetGuard) -> None:
        if after.doubted_since != before.doubted_since and after.refused_jump is not None:
            _log.error(
                "the server's clock jumped by %s; not believed until it has stood for a minute", after.refused_jump
            )
        elif abs(after.offset - before.offset) > LONGEST_STEP:
            _log.error("the server's clock stays moved by %s; taken over", after.offset - before.offset)


async def happens_within(event: asyncio.Event, seconds: float, clock: Clock) -> bool:
    """Wait for the event, for at most ``seconds`` of ``clock`` (0 or less: not at all); whether it is set."""
    if event.is_set() or seconds <= 0:
        return event.is_set()
    happening = asyncio.ensure_future(event.wait())
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((happening, sleeping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        happening.cancel()
        sleeping.cancel()
    return event.is_set()

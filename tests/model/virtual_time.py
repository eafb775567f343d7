"""Time of a world that has no event loop: it moves when a rule says so."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from tests.model.passes import pause

MICROSECONDS = 1_000_000


@attrs.define
class WorldTime:
    """True time passes; the clocks on the wall, which began with it, may be stepped."""

    start: datetime
    elapsed: int = 0
    stepped: timedelta = timedelta()

    def true_now(self) -> datetime:
        return self.start + timedelta(microseconds=self.elapsed)


class NodeClock:
    """A `Clock` as one node sees it: ``skew`` is how far its wall clock is ahead of the others'."""

    def __init__(self, time: WorldTime, skew: timedelta = timedelta()) -> None:
        self._time = time
        self.skew = skew

    def now(self) -> datetime:
        return self._time.true_now() + self._time.stepped + self.skew

    def monotonic(self) -> float:
        return self._time.elapsed / MICROSECONDS

    async def sleep(self, seconds: float) -> None:
        await pause("clock.sleep")

"""Which instants a schedule names, told by a package that cronhook does not use: cronsim."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from cronsim import CronSim

from tests.faults.history import Cron, Once, Schedule

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_AROUND = timedelta(hours=12)
"""So much more than what is asked for is computed at once."""
_RUN_UP = timedelta(days=1)
"""Inside a repeated hour cronsim may return an instant before its start: it starts well before what is asked for."""


def instants(schedule: Schedule, after: datetime | None, until: datetime) -> Sequence[datetime]:
    """The schedule's instants later than `after` (None: from its beginning, of a single instant only), to `until`."""
    if isinstance(schedule, Once):
        return [schedule.run_at] if (after is None or after < schedule.run_at) and schedule.run_at <= until else []
    if after is None:
        raise ValueError("a cron line has no beginning")
    return _timetable(schedule).between(after, until) if after < until else []


class _Timetable:
    """The instants of a cron line so far as somebody asked; each is computed once."""

    def __init__(self, cron: Cron) -> None:
        self._line = MACROS.get(cron.expression, cron.expression)
        self._zone = _zone(cron.timezone)
        self._known: list[datetime] = []
        self._from: datetime | None = None
        self._until: datetime | None = None

    def between(self, after: datetime, until: datetime) -> Sequence[datetime]:
        if self._from is None or self._until is None:
            self._from, self._until = after - _AROUND, until + _AROUND
            self._known = self._found(self._from, self._until)
        if after < self._from:
            self._known = self._found(after - _AROUND, self._from) + self._known
            self._from = after - _AROUND
        if self._until < until:
            self._known += self._found(self._until, until + _AROUND)
            self._until = until + _AROUND
        return self._known[bisect_right(self._known, after) : bisect_right(self._known, until)]

    def _found(self, after: datetime, until: datetime) -> list[datetime]:
        return sorted({instant for instant in self._walk(after - _RUN_UP, until) if after < instant})

    def _walk(self, start: datetime, end: datetime) -> Iterator[datetime]:
        for local in CronSim(self._line, start.astimezone(self._zone)):
            if (instant := local.astimezone(UTC)) > end:
                return
            yield instant


@cache
def _timetable(cron: Cron) -> _Timetable:
    return _Timetable(cron)


@cache
def _zone(name: str) -> ZoneInfo:
    """From the package, whatever the system has."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def contains(sorted_instants: Sequence[datetime], instant: datetime) -> bool:
    index = bisect_left(sorted_instants, instant)
    return index < len(sorted_instants) and sorted_instants[index] == instant

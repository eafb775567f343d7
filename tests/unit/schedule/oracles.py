"""Other readings of cron than ours: a package's, and Debian's rule spelled out minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import takewhile

from cronsim import CronSim

from cronhook_core.domain.time_zone import time_zone

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def by_cronsim(line: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """``after`` must not lie inside a repeated hour: cronsim may then start before it."""
    found = (instant.astimezone(UTC) for instant in CronSim(line, time_zone(zone).local(after)))
    return list(takewhile(lambda instant: instant <= until, found))


def by_the_rule(line: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """Debian's rule as it is written, asking of each minute what the clock shows; both ends whole minutes."""
    reading, clock = CronSim(line, datetime(2000, 1, 1, tzinfo=UTC)), _clock(zone, after - 2 * DAY, until)
    if "*" in (reading.parts[1][0], reading.parts[2][0]):
        named = {instant for instant, wall in clock.shown.items() if _names(reading, wall)}
    else:
        named = {clock.turn_of(wall) for wall in clock.walls if _names(reading, wall)}
    return sorted(instant for instant in named if after < instant <= until)


class _Clock:
    """What a zone's clock shows, minute by minute."""

    def __init__(self, zone: str, start: datetime, end: datetime) -> None:
        info = time_zone(zone).info
        self.shown = {instant: instant.astimezone(info).replace(tzinfo=None) for instant in _minutes(start, end)}
        self.first = {wall: instant for instant, wall in reversed(self.shown.items())}
        self.walls = list(_minutes(min(self.first), max(self.first)))

    def turn_of(self, wall: datetime) -> datetime:
        """The first instant that shows ``wall`` or, when it is skipped, the first that shows a later time."""
        return self.first.get(wall) or min(instant for instant, shown in self.shown.items() if shown > wall)


_clock = cache(_Clock)


def _minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    while start <= end:
        yield start
        start += MINUTE


def _names(reading: CronSim, wall: datetime) -> bool:
    at_time = wall.minute in reading.minutes and wall.hour in reading.hours
    return at_time and wall.month in reading.months and reading.match_day(wall.date())

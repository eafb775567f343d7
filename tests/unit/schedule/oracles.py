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
    reading = CronSim(line, datetime(2000, 1, 1, tzinfo=UTC))
    shown = _what_the_clock_shows(zone, after - 2 * DAY, until)
    if "*" in (reading.parts[1][0], reading.parts[2][0]):
        named = {instant for instant, wall in shown.items() if _names(reading, wall)}
    else:
        named = {
            _turn_of(wall, shown)
            for wall in _minutes(min(shown.values()), max(shown.values()))
            if _names(reading, wall)
        }
    return sorted(instant for instant in named if after < instant <= until)


def _turn_of(wall: datetime, shown: dict[datetime, datetime]) -> datetime:
    """The first instant that shows ``wall`` or, when it is skipped, the first that shows a later time."""
    exact = _first_shown(tuple(shown.items()))
    return exact[wall] if wall in exact else min(instant for instant, other in shown.items() if other > wall)


@cache
def _first_shown(shown: tuple[tuple[datetime, datetime], ...]) -> dict[datetime, datetime]:
    return {wall: instant for instant, wall in reversed(shown)}


@cache
def _what_the_clock_shows(zone: str, start: datetime, end: datetime) -> dict[datetime, datetime]:
    return {instant: time_zone(zone).local(instant).replace(tzinfo=None) for instant in _minutes(start, end)}


def _minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    while start <= end:
        yield start
        start += MINUTE


def _names(reading: CronSim, wall: datetime) -> bool:
    at_time = wall.minute in reading.minutes and wall.hour in reading.hours
    return at_time and wall.month in reading.months and reading.match_day(wall.date())

"""IANA time zones and the shifts of their clocks.

Zones come from the ``tzdata`` package, never from the system, so that all machines of one installation agree on every
instant; the package's version says which rules are in force.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from attrs import field, frozen

from cronhook_core.errors import InvalidTimezone

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
END = datetime(9950, 1, 1, tzinfo=UTC)
"""Schedules are computed from instants between these, at a safe distance from the ends of `datetime`."""
_YEARS = range(BEGINNING.year - 1, END.year + 45)
_PLACEHOLDERS = frozenset({"Factory"})
"""Names of the database that say "this machine's zone was never set"."""
_PROBE_EVERY = timedelta(days=5)
"""No zone keeps one offset for less than six days since 1899 (a test holds tzdata to it), so no shift hides."""
LONGEST_SHIFT = timedelta(days=2)
"""More than any clock ever jumped (a day, where a country changed its side of the date line)."""


@frozen(kw_only=True)
class Shift:
    """A clock jumps: from the instant ``at`` on, its distance to UTC is ``after`` instead of ``before``."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def is_gap(self) -> bool:
        """Whether wall-clock times are skipped; otherwise they are repeated."""
        return self.after > self.before

    @property
    def size(self) -> timedelta:
        return abs(self.after - self.before)

    @property
    def wall_before(self) -> datetime:
        """What the clock would show at ``at`` without the jump (naive)."""
        return self.at.replace(tzinfo=None) + self.before

    @property
    def wall_after(self) -> datetime:
        """What the clock shows at ``at`` (naive)."""
        return self.at.replace(tzinfo=None) + self.after


@frozen
class TimeZone:
    """One zone. Instants are aware UTC datetimes; walls are naive datetimes, what a clock in the zone shows."""

    name: str
    info: ZoneInfo = field(repr=False, eq=False)

    def local(self, instant: datetime) -> datetime:
        """``instant`` as an aware datetime in this zone."""
        return instant.astimezone(self.info)

    def offset(self, instant: datetime) -> timedelta:
        return self.local(instant).replace(tzinfo=None) - instant.replace(tzinfo=None)

    def first_pass(self, wall: datetime) -> datetime | None:
        """The first instant at which the clock shows ``wall``; None when it is skipped."""
        instant = wall.replace(tzinfo=self.info).astimezone(UTC)
        return instant if instant.astimezone(self.info).replace(tzinfo=None) == wall else None

    def shifts(self, after: datetime, until: datetime) -> tuple[Shift, ...]:
        """The shifts later than ``after`` and not later than ``until``, in order."""
        years = range(after.year, until.year + 1)
        return tuple(s for year in years for s in _shifts_in(self.name, year) if after < s.at <= until)

    def first_shift(self, after: datetime, until: datetime) -> Shift | None:
        """The first of `shifts`, without looking at the years behind it."""
        for year in range(after.year, until.year + 1):
            for shift in _shifts_in(self.name, year):
                if shift.at > after:
                    return shift if shift.at <= until else None
        return None

    def last_shift(self, until: datetime) -> Shift:
        """The newest shift not later than ``until``, which must be nearer than `LONGEST_SHIFT`."""
        return self.shifts(until - LONGEST_SHIFT, until)[-1]


@cache
def time_zone(name: str) -> TimeZone:
    """The zone of that exact IANA name, links such as ``US/Eastern`` included; raises `InvalidTimezone`."""
    if name not in zone_names():
        raise InvalidTimezone(_unknown(name))
    with _tzdata().joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return TimeZone(name, ZoneInfo.from_file(file, key=name))


@cache
def zone_names() -> frozenset[str]:
    """Every name that `time_zone` accepts."""
    listed = _tzdata().joinpath("zones").read_text(encoding="ascii")
    return frozenset(listed.split()) - _PLACEHOLDERS


def zone_database_version() -> str:
    """The version of the rules in force, such as ``2026.1``: with another one, future instants may differ."""
    from importlib.metadata import version  # slow to load, and clients never ask

    return version("tzdata")


def _tzdata() -> Traversable:
    from importlib.resources import files  # slow to load, and clients never ask

    return files("tzdata")


def _unknown(name: str) -> str:
    reason = f"there is no IANA time zone named {name[:64]!r}"
    wanted = name[:64].lower()  # a request may name one of a megabyte
    nearest = next((known for known in zone_names() if known.lower() == wanted), None)
    return f"{reason}; did you mean {nearest!r}?" if nearest else f"{reason}; write it like 'Europe/Berlin' or 'UTC'"


@lru_cache(maxsize=8192)
def _shifts_in(name: str, year: int) -> tuple[Shift, ...]:
    if year not in _YEARS:
        return ()
    zone, found = time_zone(name), []
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    before = zone.offset(start)
    while start < end:
        probe = min(start + _PROBE_EVERY, end)
        after = zone.offset(probe)
        if before != after:
            found.append(_shift_between(zone, start, probe, before, after))
        start, before = probe, after
    return tuple(found)


def _shift_between(zone: TimeZone, start: datetime, end: datetime, before: timedelta, after: timedelta) -> Shift:
    """Bisects to the second."""
    seconds, last = 0, int((end - start).total_seconds())
    while last - seconds > 1:
        middle = (seconds + last) // 2
        if zone.offset(start + timedelta(seconds=middle)) == before:
            seconds = middle
        else:
            last = middle
    return Shift(at=start + timedelta(seconds=last), before=before, after=after)

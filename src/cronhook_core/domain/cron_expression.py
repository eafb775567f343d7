"""A cron line, read, and the search for the wall-clock minutes that it names."""

from __future__ import annotations

import calendar
import re
from datetime import datetime
from functools import lru_cache

from attrs import frozen

from cronhook_core.domain.cron_grammar import RULES, CronField, read_field
from cronhook_core.errors import InvalidCron

MAX_LENGTH = 256
LONGEST_WAIT_YEARS = 40
"""No line waits longer: 29 February falls on a given weekday every 28 years, every 40 across the year 2100."""

_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FORM = "minute, hour, day of month, month, day of week"
_BLANKS = re.compile(r"[ \t]+")
_MONTHS_AHEAD = LONGEST_WAIT_YEARS * 12 + 1
_EVERY_SEVENTH_DAY = sum(1 << day for day in range(0, 36, 7))
_ALL_HOURS = (1 << 24) - 1


@frozen(kw_only=True)
class CronExpression:
    """A line's five fields. Bit sets: bit n stands for the value n.

    ``any_day_field`` says how day of month and day of week combine: either one suffices, unless one of them starts with
    ``*`` (then both must match). ``follows_elapsed_time`` is set when minute or hour starts with ``*``. Both are the
    rule of Debian's cron.
    """

    fields: tuple[CronField, ...]
    minutes: int
    hours: int
    days: int
    months: int
    weekdays: int
    last_day: bool
    nth_weekdays: tuple[tuple[int, int], ...]
    any_day_field: bool
    follows_elapsed_time: bool

    @property
    def covers_every_hour(self) -> bool:
        return self.hours == _ALL_HOURS

    def next_match(self, wall: datetime) -> datetime | None:
        """The first minute not before ``wall`` (naive, a whole minute); None when none ever follows."""
        year, month, day = wall.year, wall.month, wall.day
        days = self._days_in(year, month)
        if days >> day & 1:
            time = self._next_time(wall.hour, wall.minute)
            if time is not None:
                return wall.replace(hour=time[0], minute=time[1])
        days = days >> (day + 1) << (day + 1)
        for _ in range(_MONTHS_AHEAD):
            if days:
                hour, minute = _lowest(self.hours), _lowest(self.minutes)
                return wall.replace(year=year, month=month, day=_lowest(days), hour=hour, minute=minute)
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            days = self._days_in(year, month)
        return None

    def count_matches(self, start: datetime, end: datetime) -> int:
        """How many minutes match from ``start`` on and before ``end`` (naive, whole minutes)."""
        if start >= end:
            return 0
        per_day = self.hours.bit_count() * self.minutes.bit_count()
        first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month - 1
        days = sum(self._days_in(month // 12, month % 12 + 1).bit_count() for month in range(first, last))
        return days * per_day + self._count_in_month(end) - self._count_in_month(start)

    def ever_matches(self) -> bool:
        """Whether any month of any year has a matching day. Every kind of month occurs in the calendar."""
        return any(
            self._days_of(first_weekday, length)
            for month in range(1, 13)
            if self.months >> month & 1
            for length in {calendar.monthrange(year, month)[1] for year in (2023, 2024)}
            for first_weekday in range(7)
        )

    def _next_time(self, hour: int, minute: int) -> tuple[int, int] | None:
        if self.hours >> hour & 1:
            minutes = self.minutes >> minute
            if minutes:
                return hour, minute + _lowest(minutes)
        hours = self.hours >> (hour + 1)
        return (hour + 1 + _lowest(hours), _lowest(self.minutes)) if hours else None

    def _count_in_month(self, end: datetime) -> int:
        """The matches of ``end``'s month before ``end``."""
        days, per_hour = self._days_in(end.year, end.month), self.minutes.bit_count()
        count = _below(days, end.day).bit_count() * self.hours.bit_count() * per_hour
        if days >> end.day & 1:
            count += _below(self.hours, end.hour).bit_count() * per_hour
            if self.hours >> end.hour & 1:
                count += _below(self.minutes, end.minute).bit_count()
        return count

    def _days_in(self, year: int, month: int) -> int:
        if not self.months >> month & 1:
            return 0
        first_weekday, length = calendar.monthrange(year, month)
        return self._days_of((first_weekday + 1) % 7, length)

    def _days_of(self, first_weekday: int, length: int) -> int:
        """The matching days of a month with ``length`` days that begins on ``first_weekday`` (0 is Sunday)."""
        by_month = self.days | (1 << length if self.last_day else 0)
        by_week = 0
        for weekday in range(7):
            if self.weekdays >> weekday & 1:
                by_week |= _EVERY_SEVENTH_DAY << 1 + (weekday - first_weekday) % 7
        for weekday, number in self.nth_weekdays:
            by_week |= 1 << 1 + (weekday - first_weekday) % 7 + 7 * (number - 1)
        days = by_month | by_week if self.any_day_field else by_month & by_week
        return days & ((1 << length + 1) - 1)


def _below(bits: int, value: int) -> int:
    return bits & ((1 << value) - 1)


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


@lru_cache(maxsize=2048)
def read_cron(line: str) -> CronExpression:
    """Reads a line of five fields or a macro; raises `InvalidCron` with the reason and the offending field.

    Fields stand apart by blanks or tabs; names and macros may be written in either case.
    """
    minute, hour, day, month, weekday = fields = tuple(map(read_field, RULES, _split(line)))
    expression = CronExpression(
        fields=fields,
        minutes=minute.values,
        hours=hour.values,
        days=day.values,
        months=month.values,
        weekdays=weekday.values,
        last_day=day.last_day,
        nth_weekdays=weekday.nth_weekdays,
        any_day_field=not (day.starts_with_star or weekday.starts_with_star),
        follows_elapsed_time=minute.starts_with_star or hour.starts_with_star,
    )
    if not expression.ever_matches():
        raise InvalidCron(
            f"day of month: no month {month.text!r} has a day {day.text!r}, so the line never fires",
            field="day_of_month",
        )
    return expression


def _split(line: str) -> list[str]:
    if len(line) > MAX_LENGTH:
        raise InvalidCron(f"a cron line has at most {MAX_LENGTH} characters, this one has {len(line)}")
    if not line.isascii():
        raise InvalidCron("a cron line is ASCII text")
    stripped = line.strip(" \t")
    if stripped.startswith("@"):
        stripped = _expand(stripped)
    if not stripped:
        raise InvalidCron(f"the line is empty: write five fields ({_FORM})")
    parts = _BLANKS.split(stripped)
    if len(parts) == len(RULES) + 1:
        raise InvalidCron(f"the line has six fields, write five ({_FORM}); seconds and years are not accepted")
    if len(parts) != len(RULES):
        raise InvalidCron(f"the number of fields is {len(parts)}, write five ({_FORM})")
    return parts


def _expand(macro: str) -> str:
    if macro.lower() == "@reboot":
        raise InvalidCron("@reboot is not accepted: there is no boot to wait for")
    expanded = _MACROS.get(macro.lower())
    if expanded is None:
        raise InvalidCron(f"{macro[:40]!r} is not a macro; there are {', '.join(_MACROS)}")
    return expanded

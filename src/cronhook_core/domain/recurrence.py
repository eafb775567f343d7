"""A cron line in a time zone: which instants it names, also where the zone's clock jumps.

The rule is that of Debian's cron (cron(8), "DAYLIGHT SAVING TIME AND OTHER TIME CHANGES"):

* A fixed-time line (neither minute nor hour starts with ``*``) whose minute is skipped runs once, at the first instant
  after the gap; in a repeated hour it runs once, the first time.
* Any other line follows elapsed time: it runs in both passes of a repeated hour and never in a gap.

Unlike Debian, this holds for jumps of any size, and several skipped minutes make one run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from attrs import frozen

from cronhook_core.domain.cron_expression import LONGEST_WAIT_YEARS, CronExpression, read_cron
from cronhook_core.domain.time_zone import BEGINNING, END, LONGEST_SHIFT, Shift, TimeZone, time_zone

_LONGEST_WAIT = timedelta(days=LONGEST_WAIT_YEARS * 366)
_MINUTE = timedelta(minutes=1)
_INSTANT = timedelta.resolution


@frozen
class Recurrence:
    """The instants of a line in a zone, between `BEGINNING` and `END`."""

    expression: CronExpression
    zone: TimeZone

    def next_after(self, instant: datetime) -> datetime | None:
        """The first instant later than ``instant`` (aware UTC); None when there is none ever."""
        if instant >= END:
            return None
        start = max(instant, BEGINNING)
        find = self._next_elapsed if self.expression.follows_elapsed_time else self._next_fixed
        found = find(start)
        return found if found is not None and found - start <= _LONGEST_WAIT else None

    def count_between(self, start: datetime, end: datetime) -> int:
        """How many instants lie later than ``start`` and before ``end``; costs nothing for each of them."""
        recent = self.zone.shifts(start - LONGEST_SHIFT, start)
        shift, start, count = recent[-1] if recent else None, start + _INSTANT, 0
        for following in self.zone.shifts(start - _INSTANT, end):
            count += self._count_stretch(shift, start, following.at)
            shift, start = following, following.at
        return count + self._count_stretch(shift, start, end)

    def _count_stretch(self, shift: Shift | None, start: datetime, end: datetime) -> int:
        """Instants from ``start`` on and before ``end``, between which no shift lies; ``shift`` is the one before."""
        if start >= end:
            return 0
        offset, ran_late = self.zone.offset(start), 0
        wall, wall_end = start.replace(tzinfo=None) + offset, end.replace(tzinfo=None) + offset
        if shift is not None and not self.expression.follows_elapsed_time:
            if shift.is_gap:
                ran_late = int(start == shift.at and self._runs_late(shift))
            else:
                wall = max(wall, shift.wall_before)
        return ran_late + self.expression.count_matches(_whole_minute(wall), _whole_minute(wall_end))

    def _runs_late(self, gap: Shift) -> bool:
        """Whether a skipped minute runs at the end of the gap, and no minute of its own does."""
        skipped = self.expression.next_match(_whole_minute(gap.wall_before))
        at_end = self.expression.next_match(_whole_minute(gap.wall_after))
        return skipped is not None and skipped < gap.wall_after and at_end != gap.wall_after

    def _next_elapsed(self, instant: datetime) -> datetime | None:
        """Searches one stretch of constant offset after the other."""
        deadline = instant + _LONGEST_WAIT
        offset = self.zone.offset(instant)
        wall = _following_minute(instant.replace(tzinfo=None) + offset)
        while (match := self.expression.next_match(wall)) is not None:
            found = (match - offset).replace(tzinfo=UTC)
            shift = self.zone.first_shift(instant, min(found, deadline))
            if shift is None:
                return found
            instant, offset = shift.at, shift.after
            wall = _whole_minute(shift.wall_after)
        return None

    def _next_fixed(self, instant: datetime) -> datetime | None:
        """Searches wall-clock minutes, each of which has one instant: its first, or the end of the gap it fell into."""
        local = self.zone.local(instant)
        if local.fold:  # all minutes of the repeated stretch had their turn in its first pass
            wall = _whole_minute(self.zone.last_shift(instant).wall_before)
        else:
            wall = _following_minute(local.replace(tzinfo=None))
        match = self.expression.next_match(wall)
        if match is None:
            return None
        return self.zone.first_pass(match) or self._end_of_gap(match)

    def _end_of_gap(self, wall: datetime) -> datetime:
        # Read with the offset from before the gap, a skipped minute lies behind the gap by less than the gap's size.
        return self.zone.last_shift(wall.replace(tzinfo=self.zone.info).astimezone(UTC)).at


def _following_minute(wall: datetime) -> datetime:
    return wall.replace(second=0, microsecond=0) + _MINUTE


def _whole_minute(wall: datetime) -> datetime:
    """``wall`` itself where it is a whole minute, otherwise the following one; shifts of old had seconds."""
    return _following_minute(wall - _INSTANT)


@lru_cache(maxsize=2048)
def recurrence(line: str, zone_name: str) -> Recurrence:
    """Raises `InvalidCron` and `InvalidTimezone`. Ten thousand jobs with one line and zone share one reading."""
    return Recurrence(read_cron(line), time_zone(zone_name))

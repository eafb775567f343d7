"""When a job runs: a cron line in a time zone, or one instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from attrs import field, frozen

from cronhook_core.domain.recurrence import Recurrence, recurrence
from cronhook_core.domain.second_reading import require_one_reading
from cronhook_core.errors import InvalidCron, InvalidRequest, InvalidRunAt, InvalidTimezone

FORESEEABLE = timedelta(days=5 * 365 + 2)
"""Five years: a line that is to be stored must have an instant in them."""
MAX_MISSED = 1000
"""No more missed instants than these are counted."""


@frozen(kw_only=True)
class CatchUp:
    """What became due since planning last looked.

    ``latest`` is the newest instant that has come, None when none has. ``missed_count`` earlier ones came before it (at
    most `MAX_MISSED` are counted), the first of them ``missed_from`` (None when there are none).
    """

    latest: datetime | None = None
    missed_count: int = 0
    missed_from: datetime | None = None


@frozen
class CronSchedule:
    """A cron line, read on the clocks of an IANA zone; valid from birth.

    Raises `InvalidCron` for a line that is not understood or names no date of any year, and `InvalidTimezone`.
    """

    expression: str
    timezone: str = "UTC"

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.expression, str):
            raise InvalidCron("a cron line is text")
        if not isinstance(self.timezone, str):
            raise InvalidTimezone("a time zone is text")
        recurrence(self.expression, self.timezone)
        require_one_reading(self.expression)

    @classmethod
    def stored(cls, expression: str, timezone: str) -> CronSchedule:
        """A schedule that was valid when it was stored, without checking it again.

        Where it is not valid any more (its zone left the database), its methods raise what the constructor would.
        """
        schedule = cls.__new__(cls)
        object.__setattr__(schedule, "expression", expression)
        object.__setattr__(schedule, "timezone", timezone)
        return schedule

    @property
    def recurrence(self) -> Recurrence:
        """The line and the zone as read; for warnings and descriptions."""
        return recurrence(self.expression, self.timezone)

    def next_after(self, instant: datetime) -> datetime | None:
        """The first instant strictly later than ``instant``, in UTC; None when none ever follows."""
        return self.recurrence.next_after(as_utc(instant))

    def require_instant_after(self, instant: datetime) -> datetime:
        """As `next_after`, but raises `InvalidCron` where that is more than five years away, or never.

        The check of a line that is to be stored. A valid line may yet wait for a rare date, or name only times that
        its zone's clock skips every year.
        """
        found = self.next_after(instant)
        if found is None or found - instant > FORESEEABLE:
            raise InvalidCron(f"the line does not fire in {self.timezone} within five years")
        return found

    def instants(self, after: datetime, count: int) -> Iterator[datetime]:
        """Up to ``count`` instants later than ``after``, in order."""
        return islice(_walk(self.next_after, after), count)

    def catch_up(self, first: datetime, now: datetime) -> CatchUp:
        """What is due at ``now`` when ``first``, an instant of this schedule, is the first that was not planned.

        Costs a few dozen steps, however long ago ``first`` was and however many instants were missed.
        """
        first, now = as_utc(first), as_utc(now)
        if first > now:
            return CatchUp()
        latest = _latest(self.next_after, first, now)
        if latest == first:
            return CatchUp(latest=latest)
        missed = min(1 + self.recurrence.count_between(first, latest), MAX_MISSED)
        return CatchUp(latest=latest, missed_count=missed, missed_from=first)

    def local(self, instant: datetime) -> datetime:
        """``instant`` as an aware datetime in this schedule's zone."""
        return self.recurrence.zone.local(as_utc(instant))


def _read_run_at(value: datetime) -> datetime:
    if not isinstance(value, datetime):
        raise InvalidRunAt("an instant is a date and time with an offset")
    if value.utcoffset() is None:
        raise InvalidRunAt(f"the instant {value.isoformat()} has no offset: add Z or one like +02:00")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidRunAt(f"the instant {value.isoformat()} lies beyond the calendar") from error


@frozen
class OneTimeSchedule:
    """One instant, kept in UTC. Raises `InvalidRunAt` for a naive one."""

    run_at: datetime = field(converter=_read_run_at)

    def next_after(self, instant: datetime) -> datetime | None:
        """``run_at`` while it lies later than ``instant``, then None."""
        return self.run_at if self.run_at > as_utc(instant) else None

    def instants(self, after: datetime, count: int) -> Iterator[datetime]:
        return islice(_walk(self.next_after, after), count)

    def catch_up(self, first: datetime, now: datetime) -> CatchUp:
        """``first`` once it has come; an instant alone misses nothing."""
        first, now = as_utc(first), as_utc(now)
        return CatchUp(latest=first) if first <= now else CatchUp()


Schedule = CronSchedule | OneTimeSchedule

_NextAfter = Callable[[datetime], datetime | None]


def as_utc(instant: datetime) -> datetime:
    """Raises `InvalidRequest` for a naive datetime."""
    if instant.tzinfo is UTC:
        return instant
    if instant.utcoffset() is None:
        raise InvalidRequest(f"instants have an offset, got the naive {instant.isoformat()}")
    return instant.astimezone(UTC)


def _walk(next_after: _NextAfter, instant: datetime | None) -> Iterator[datetime]:
    while instant is not None and (instant := next_after(instant)) is not None:
        yield instant


def _latest(next_after: _NextAfter, first: datetime, now: datetime) -> datetime:
    """Halves the time between an instant that has come and ``now`` until none lies between."""
    latest, end = first, now
    while (following := next_after(latest)) is not None and following <= now:
        latest = following
        middle = latest + (end - latest) / 2
        found = next_after(middle)
        if found is not None and found <= now:
            latest = found
        else:
            end = middle
    return latest

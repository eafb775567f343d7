"""A second reader of cron lines: where croniter names other values than we do, a line is refused, not guessed at."""

from __future__ import annotations

from functools import lru_cache

from cronhook_core.domain.cron_expression import CronExpression, read_cron
from cronhook_core.errors import InvalidCron

_LAST_DAY = "l"
_WHOLE_RANGES = (range(60), range(24), range(1, 32), range(1, 13), range(7))
_FIELDS = ("minute", "hour", "day_of_month", "month", "day_of_week")


@lru_cache(maxsize=2048)
def require_one_reading(line: str) -> None:
    """Raises `InvalidCron` where croniter, which much other software reads cron lines with, reads this one differently.

    A line that croniter cannot read at all has no second reading. Meant for new lines; stored ones keep their meaning.
    """
    theirs = _read_by_croniter(line)
    if theirs is None:
        return
    for field, ours, other in zip(_FIELDS, _sets(read_cron(line)), theirs, strict=True):
        if _days_told_once(ours) != _days_told_once(other):
            raise InvalidCron(f"cron implementations read this {field.replace('_', ' ')} differently", field=field)


def _days_told_once(values: set[int | str]) -> set[int | str]:
    """Where every day is named, the last one is, too."""
    return values - {_LAST_DAY} if values.issuperset(_WHOLE_RANGES[2]) else values


def _sets(expression: CronExpression) -> tuple[set[int | str], ...]:
    weekdays = {weekday for weekday, _ in expression.nth_weekdays}
    days = _values(expression.days) | ({_LAST_DAY} if expression.last_day else set())
    return (
        _values(expression.minutes),
        _values(expression.hours),
        days,
        _values(expression.months),
        _values(expression.weekdays) | weekdays,
    )


def _values(bits: int) -> set[int | str]:
    return {value for value in range(bits.bit_length()) if bits >> value & 1}


def _read_by_croniter(line: str) -> list[set[int | str]] | None:
    from croniter import croniter  # its import takes longer than that of all of the domain
    from croniter.croniter import CroniterError

    try:
        fields, _ = croniter.expand(line)
    except CroniterError:
        return None
    return [set(whole) if "*" in field else set(field) for whole, field in zip(_WHOLE_RANGES, fields, strict=True)]

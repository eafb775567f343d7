"""A cron line in words. Two lines whose words are the same run at the same wall-clock minutes."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Sequence

from cronhook_core.domain.cron_expression import CronExpression
from cronhook_core.domain.cron_grammar import CronField, Item

MOST_TIMES = 6
"""So many times of day are listed; more are told by their hours and minutes."""

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth")


def words_for(expression: CronExpression) -> str:
    """When a line runs, to stand behind "runs": ``at 02:30 on Monday to Friday``. The zone is not told."""
    days = _days(expression)
    times = _times(expression)
    if not days:
        return times if _is_often(expression) else f"{times} every day"
    return f"{times} {days}"


def _times(expression: CronExpression) -> str:
    minute, hour = expression.fields[:2]
    minutes, hours = _values(expression.minutes), _values(expression.hours)
    if len(minutes) * len(hours) <= MOST_TIMES:
        return f"at {_listed([f'{h:02}:{m:02}' for h in hours for m in minutes])}"
    often = len(minutes) == 60 or (_only_star_step(minute) is not None and 60 % len(minutes) == 0)
    return _minutes(minute, minutes) + ("" if often and len(hours) == 24 else _hours(hour, hours))


def _minutes(field: CronField, minutes: Sequence[int]) -> str:
    if len(minutes) == 60:
        return "every minute"
    step = _only_star_step(field)
    if step is not None and 60 % step == 0:
        return f"every {step} minutes"
    if step is not None:
        return f"every {step} minutes from minute 0 to {minutes[-1]}"
    if len(minutes) == 1:
        return f"at minute {minutes[0]}"
    return f"at minutes {_runs(minutes, str)}"


def _hours(field: CronField, hours: Sequence[int]) -> str:
    if len(hours) == 24:
        return " of every hour"
    step = _only_star_step(field)
    if step is not None:
        again = "" if 24 % step == 0 else f" to {hours[-1]}"
        return f" of every {_ordinal(step)} hour from 0{again}"
    return f" of {'hour' if len(hours) == 1 else 'the hours'} {_runs(hours, str)}"


def _is_often(expression: CronExpression) -> bool:
    return len(_values(expression.minutes)) * len(_values(expression.hours)) > MOST_TIMES


def _days(expression: CronExpression) -> str:
    by_month = "" if _is_all(expression.days, 1, 31) else _days_of_month(expression.fields[2], expression)
    by_week = "" if _is_all(expression.weekdays, 0, 6) else _days_of_week(expression)
    if by_month and by_week:
        both = f"{by_month} or {by_week}" if expression.any_day_field else f"{by_month} where that is {by_week[3:]}"
    elif expression.any_day_field and (by_month or by_week):
        both = ""  # the other field holds every day, and either one suffices
    else:
        both = by_month or by_week
    months = _values(expression.months)
    return both if len(months) == 12 else f"{both or 'every day'} in {_runs(months, lambda n: calendar.month_name[n])}"


def _days_of_month(field: CronField, expression: CronExpression) -> str:
    days = _values(expression.days)
    parts = []
    if days:
        step = _only_star_step(field)
        if step is not None:
            parts.append(f"every {_ordinal(step)} day from the 1st to the {_ordinal(days[-1])}")
        else:
            parts.append(f"{'day' if len(days) == 1 else 'days'} {_runs(days, str)}")
    if expression.last_day:
        parts.append("the last day")
    return f"on {' and '.join(parts)} of the month"


def _days_of_week(expression: CronExpression) -> str:
    weekdays = _values(expression.weekdays)
    if weekdays[:1] == [0] and 1 not in weekdays:
        weekdays = [*weekdays[1:], 7]  # a week ends on its Sunday, unless Monday follows it
    parts = [_runs(weekdays, lambda n: _WEEKDAYS[n])] if weekdays else []
    for weekday, number in sorted(expression.nth_weekdays):
        parts.append(f"the {_ORDINALS[number]} {_WEEKDAYS[weekday]} of the month")
    return f"on {' and '.join(parts)}"


def _only_star_step(field: CronField) -> int | None:
    """n where the field is ``*/n`` and nothing else, from 2 on."""
    match field.items:
        case (Item(is_star=True, step=step),) if step > 1 and not field.last_day:
            return step
    return None


def _runs(values: Sequence[int], name: Callable[[int], str]) -> str:
    """``1 to 5, 9 and 12``: of three and more in a row only the ends are named."""
    parts: list[str] = []
    start = 0
    for n, value in enumerate(values):
        if n + 1 < len(values) and values[n + 1] == value + 1:
            continue
        row = values[start : n + 1]
        parts += [f"{name(row[0])} to {name(row[-1])}"] if len(row) > 2 else [name(each) for each in row]
        start = n + 1
    return _listed(parts)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _ordinal(number: int) -> str:
    if number in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _is_all(bits: int, lowest: int, highest: int) -> bool:
    return bits == ((1 << highest + 1) - 1) & ~((1 << lowest) - 1)


def _values(bits: int) -> list[int]:
    return [value for value in range(bits.bit_length()) if bits >> value & 1]

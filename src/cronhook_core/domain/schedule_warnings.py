"""What will surprise the writer of a schedule: shown in previews, never a reason to refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen

from cronhook_core.domain.cron_expression import CronExpression
from cronhook_core.domain.cron_grammar import DAY_OF_MONTH, DAY_OF_WEEK, CronField
from cronhook_core.domain.schedule import FORESEEABLE, CronSchedule, Schedule, as_utc
from cronhook_core.domain.time_zone import BEGINNING, END, Shift

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


class WarningCode(StrEnum):
    DAY_FIELDS_OR = "day_fields_or"
    DAY_FIELDS_AND = "day_fields_and"
    UNEVEN_STEP = "uneven_step"
    FALLS_INTO_GAP = "falls_into_gap"
    REPEATED_HOUR = "repeated_hour"


@frozen(kw_only=True)
class ScheduleWarning:
    """``detail`` is one sentence for people; where a clock jumps it names the local date."""

    code: WarningCode
    detail: str


def warnings_for(schedule: Schedule, after: datetime, until: datetime) -> tuple[ScheduleWarning, ...]:
    """What surprises in the line itself, and where the clock jumps later than ``after`` and not later than ``until``.

    At most five years from ``after`` are looked at. An instant alone has no warnings.
    """
    if not isinstance(schedule, CronSchedule):
        return ()
    expression, zone = schedule.recurrence.expression, schedule.recurrence.zone
    after, until = max(as_utc(after), BEGINNING), min(as_utc(until), END)
    shifts = zone.shifts(after, min(until, after + FORESEEABLE)) if after < until else ()
    jumps = (_at_shift(expression, zone.name, shift) for shift in shifts)
    return (*_of_day_fields(expression), *_of_steps(expression), *(jump for jump in jumps if jump is not None))


def _of_day_fields(expression: CronExpression) -> Iterator[ScheduleWarning]:
    _, _, day, _, weekday = expression.fields
    if "*" in (day.text, weekday.text):
        return
    both = f"day of month {day.text!r} and day of week {weekday.text!r}"
    if expression.any_day_field:
        yield ScheduleWarning(code=WarningCode.DAY_FIELDS_OR, detail=f"Runs on days that match either of {both}.")
    else:
        reason = "because one of them starts with '*'"
        detail = f"Runs only on days that match both {both}, {reason}."
        yield ScheduleWarning(code=WarningCode.DAY_FIELDS_AND, detail=detail)


def _of_steps(expression: CronExpression) -> Iterator[ScheduleWarning]:
    for field in expression.fields:
        steps = {item.step for item in field.items if item.is_star and _is_uneven(field, item.step)}
        for step in sorted(steps):
            detail = f"'*/{step}' in {field.rule.words} starts anew {_every(field)}, so one distance is not {step}."
            yield ScheduleWarning(code=WarningCode.UNEVEN_STEP, detail=detail)


def _is_uneven(field: CronField, step: int) -> bool:
    if field.rule is DAY_OF_MONTH:
        return step > 1
    size = 7 if field.rule is DAY_OF_WEEK else field.rule.highest - field.rule.lowest + 1
    return size % step != 0


def _every(field: CronField) -> str:
    return {"minute": "every hour", "hour": "every day", "month": "every year", "day_of_week": "every week"}.get(
        field.rule.name, "every month"
    )


def _at_shift(expression: CronExpression, zone: str, shift: Shift) -> ScheduleWarning | None:
    if _goes_unnoticed(expression, shift):
        return None
    start, end = sorted((shift.wall_before, shift.wall_after))
    run, count = expression.next_match(start), expression.count_matches(start, end)
    if run is None or count == 0:
        return None
    before, after = _time(shift.wall_before, shift), _time(shift.wall_after, shift)
    fate = _fate(after, elapsed=expression.follows_elapsed_time, is_gap=shift.is_gap, several=count > 1)
    runs = f"the run due at {run:%H:%M}" if count == 1 else f"the {count} runs due from {run:%H:%M} on"
    jump = f"On {shift.wall_before:%Y-%m-%d} the clock in {zone} jumps from {before} to {after}"
    code = WarningCode.FALLS_INTO_GAP if shift.is_gap else WarningCode.REPEATED_HOUR
    return ScheduleWarning(code=code, detail=f"{jump}: {runs} {fate}.")


def _fate(after: str, *, elapsed: bool, is_gap: bool, several: bool) -> str:
    if is_gap and elapsed:
        return "do not happen" if several else "does not happen"
    if is_gap:
        return f"happen as one, at {after}" if several else f"happens at {after}"
    happens = "happen" if several else "happens"
    return f"{happens} in both passes" if elapsed else f"{happens} once, the first time"


def _goes_unnoticed(expression: CronExpression, shift: Shift) -> bool:
    """Whether real time shows nothing: what runs alike in every hour does not see whole hours come and go."""
    alike = expression.follows_elapsed_time and expression.covers_every_hour
    return alike and shift.size % _HOUR == timedelta(0) and shift.size < _DAY


def _time(wall: datetime, shift: Shift) -> str:
    """The time, with its date where that is not the one the sentence names."""
    return f"{wall:%H:%M}" if wall.date() == shift.wall_before.date() else f"{wall:%H:%M on %Y-%m-%d}"

"""I1 and I2: every instant is planned, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from tests.faults.history import Act, Bounds, History, Row, Violation
from tests.faults.periods import Period, periods_of

MOST_COUNTED = 1000
DOUBLES_REFUSED_BY_A_DATABASE = ("duplicate key value violates unique constraint", "UNIQUE constraint failed")


def no_lost_instant(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Every instant of an active job has its execution, or is counted on the one that makes up for it; no others."""
    for job_id, acts in history.acts_of.items():
        periods = periods_of(acts, bounds.planning)
        executions = history.scheduled_of.get(job_id, [])
        unplanned = history.unplanned.get(job_id)
        until = history.taken_at - bounds.planning if unplanned is None else unplanned - datetime.resolution
        yield from _lost(job_id, periods, executions, until)
        for execution in executions:
            yield from _invented(execution, periods)


def no_double_plan(history: History, bounds: Bounds) -> Iterator[Violation]:
    """An instant has one execution and is not counted on another; no statement ever failed on the unique key."""
    for job_id, executions in history.scheduled_of.items():
        times = Counter(execution["scheduled_for"] for execution in executions)
        for instant in (instant for instant, count in times.items() if count > 1):
            yield Violation("I2", f"{job_id} at {instant}", f"it has {times[instant]} executions")
        if not _was_rewound(history.acts_of.get(job_id, [])):
            yield from _counted_elsewhere(job_id, executions)
    for text in history.fault_log.texts:
        for refused in (refused for refused in DOUBLES_REFUSED_BY_A_DATABASE if refused in text.content):
            yield Violation("I2", text.source, f"a statement failed: {refused}")


def _lost(job_id: str, periods: Sequence[Period], executions: Sequence[Row], until: datetime) -> Iterator[Violation]:
    planned = {execution["scheduled_for"] for execution in executions}
    caught_up = [execution for execution in executions if execution["missed_from"] is not None]
    for instant in (instant for period in periods for instant in period.required(until)):
        if instant not in planned and not any(_counts(execution, instant) for execution in caught_up):
            yield Violation("I1", f"{job_id} at {instant}", "it has no execution, and no other one counts it as missed")


def _invented(execution: Row, periods: Sequence[Period]) -> Iterator[Violation]:
    of_period = [period for period in periods if period.allows(execution["scheduled_for"])]
    if not of_period:
        yield Violation("I1", execution["id"], f"the job does not run at {execution['scheduled_for']}")
    elif not any(_counts_rightly(execution, period) for period in of_period):
        counted = f"{execution['missed_count']} from {execution['missed_from']}"
        yield Violation("I1", execution["id"], f"it counts {counted} as missed, which is wrong")


def _counts_rightly(execution: Row, period: Period) -> bool:
    first, count = execution["missed_from"], execution["missed_count"]
    if first is None or count == 0:
        return first is None and bool(count == 0)
    missed = period.between(first, execution["scheduled_for"])
    return period.allows(first) and min(len(missed), MOST_COUNTED) == count


def _counts(execution: Row, instant: datetime) -> bool:
    first: datetime | None = execution["missed_from"]
    return first is not None and first <= instant < execution["scheduled_for"]


def _counted_elsewhere(job_id: str, executions: Sequence[Row]) -> Iterator[Violation]:
    caught_up = [execution for execution in executions if execution["missed_from"] is not None]
    for execution in executions:
        for other in (other for other in caught_up if _counts(other, execution["scheduled_for"])):
            yield Violation("I2", f"{job_id} at {execution['scheduled_for']}", f"{other['id']} counts it as missed")


def _was_rewound(acts: Sequence[Act]) -> bool:
    return any(act.kind == "rewind" for act in acts)

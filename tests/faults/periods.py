"""For which stretches of time a job's schedule was in force, by what users asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import attrs

from tests.faults.history import Act, Once, Schedule
from tests.faults.timetable import contains, instants

_EVER = datetime(9000, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Period:
    """A schedule, surely in force after `surely_after` until `surely_until`, possibly after and until the other two.

    None as a beginning: a single instant counts however long ago it was.
    """

    schedule: Schedule
    surely_after: datetime | None
    possibly_after: datetime | None
    surely_until: datetime = _EVER
    possibly_until: datetime = _EVER

    def required(self, until: datetime) -> Sequence[datetime]:
        """The instants that must have become executions, or been counted as missed."""
        return instants(self.schedule, self.surely_after, min(self.surely_until, until))

    def allows(self, instant: datetime) -> bool:
        if instant > self.possibly_until or (self.possibly_after is not None and instant <= self.possibly_after):
            return False
        return contains(instants(self.schedule, _just_before(instant), instant), instant)

    def between(self, first: datetime, end: datetime) -> Sequence[datetime]:
        """The instants from `first` on and before `end`."""
        return instants(self.schedule, _just_before(first), _just_before(end))


@attrs.define
class _Job:
    """A job as the acts so far made it. `open` is the period under way, `edited_until` the last edit's answer."""

    schedule: Schedule | None = None
    is_planned: bool = False
    open: Period | None = None
    edited_until: datetime | None = None


def periods_of(acts: Sequence[Act], planning: timedelta) -> list[Period]:
    """The periods of one job. `planning` is how late planning may be: what was due so shortly before an act is moot."""
    job, found = _Job(), list[Period]()
    for act in acts:
        if act.answered_at is None:
            found += _unknown(job, act, planning)
        else:
            found += _known(job, act, act.answered_at, planning)
    return [*found, job.open] if job.open is not None else found


def _known(job: _Job, act: Act, answered_at: datetime, planning: timedelta) -> Iterator[Period]:
    match act.kind:
        case "create":
            job.schedule, job.is_planned = act.schedule, True
            job.open = _opened(job, act, answered_at)
        case "edit" if act.schedule is not None and act.schedule != job.schedule:
            yield from _closed(job, act, answered_at, planning)
            job.schedule, job.edited_until = act.schedule, answered_at
            job.open = _opened(job, act, answered_at) if job.is_planned else None
        case "pause":
            yield from _closed(job, act, answered_at, planning)
            job.is_planned = False
        case "resume":
            job.is_planned = True
            job.open = job.open or _opened(job, act, answered_at)
        case "delete":
            yield from _closed(job, act, answered_at, planning)
            job.schedule = None
        case "ended" if act.schedule is not None and act.schedule != job.schedule:
            yield from _perhaps_revived(job, act)
        case "gone" | "ended":  # nobody knows when the result was written; another schedule makes the job active again
            yield from _closed(job, act, _EVER, planning)
            job.is_planned = True


def _perhaps_revived(job: _Job, end: Act) -> Iterator[Period]:
    """Its former schedule ended it while it was given another: that made it active, if it came after the end."""
    if job.schedule is not None and job.edited_until is not None and end.asked_at <= job.edited_until:
        yield Period(schedule=job.schedule, surely_after=_EVER, possibly_after=None)


def _unknown(job: _Job, act: Act, planning: timedelta) -> Iterator[Period]:
    """Whatever it was, from now on nothing is required, and what either case would plan is allowed."""
    if act.kind in ("edit", "pause", "resume", "delete"):
        yield from _closed(job, act, _EVER, planning)
    if act.schedule is not None:
        yield Period(schedule=act.schedule, surely_after=_EVER, possibly_after=_beginning(act, act.schedule))
        job.schedule, job.is_planned = act.schedule, True
    elif act.kind == "resume" and job.schedule is not None:
        yield Period(schedule=job.schedule, surely_after=_EVER, possibly_after=act.asked_at)


def _opened(job: _Job, act: Act, answered_at: datetime) -> Period | None:
    if job.schedule is None:
        return None
    beginning = _beginning(act, job.schedule)
    if beginning is None:
        return Period(schedule=job.schedule, surely_after=None, possibly_after=None)
    settled = act.planned_through or beginning
    return Period(
        schedule=job.schedule, surely_after=max(answered_at, settled), possibly_after=max(act.asked_at, settled)
    )


def _beginning(act: Act, schedule: Schedule) -> datetime | None:
    """A single instant that was written a little late still counts; one that a resume finds passed does not."""
    return None if isinstance(schedule, Once) and act.kind != "resume" else act.asked_at


def _closed(job: _Job, act: Act, answered_at: datetime, planning: timedelta) -> Iterator[Period]:
    if job.open is None:
        return
    unplanned = _just_before(act.unplanned_from) if act.unplanned_from is not None else act.asked_at - planning
    planned = act.planned_through or act.asked_at  # by a clock that was ahead, perhaps
    yield attrs.evolve(job.open, surely_until=unplanned, possibly_until=max(answered_at, act.asked_at, planned))
    job.open = None


def _just_before(instant: datetime) -> datetime:
    return instant - timedelta(microseconds=1)

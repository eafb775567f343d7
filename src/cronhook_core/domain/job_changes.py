"""What the user's acts make of a job. Each returns the job as it was when there is nothing to change."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from attrs import evolve

from cronhook_core.domain.job import NULL_PAYLOAD, InactiveReason, Job, JobDefinition, JobStatus
from cronhook_core.domain.schedule import OneTimeSchedule, Schedule
from cronhook_core.errors import Conflict, InvalidRunAt

RUN_AT_GRACE = timedelta(seconds=60)
"""An instant up to this far in the past is accepted, and fires at once: clocks differ and requests take time."""
RUN_AT_HORIZON = timedelta(days=3653)
CLOCKS_GO_BACK_BY = timedelta(days=2)
"""At most. What was planned further ahead than this was planned by a clock that was wrong."""


def first_run(schedule: Schedule, now: datetime, planned_through: datetime | None = None) -> datetime:
    """The first instant that a newly written schedule runs at.

    Raises `InvalidRunAt` for one instant that has passed more than a minute ago or lies more than ten years ahead, and
    `InvalidCron` for a line that never fires. No instant up to ``planned_through`` is answered.
    """
    if isinstance(schedule, OneTimeSchedule):
        _check_run_at(schedule.run_at, now, planned_through)
        return schedule.run_at
    return schedule.require_instant_after(max(now, planned_through or now))


def redefined(job: Job, definition: JobDefinition, host: str, now: datetime, *, anew: bool = False) -> Job:
    """The job with another definition; another schedule plans it anew and makes an inactive job active.

    ``anew``: so does the schedule that an inactive job has, but for the one instant of a job that has had its turn, and
    that of a job which a clock far ahead has planned into the future.
    """
    planned_through = _believed(job, now)
    astray = planned_through is not job.planned_through
    has_ended = job.status is JobStatus.INACTIVE and (not job.is_one_time or _is_ahead(job, now))
    begins_anew = anew and (astray or has_ended)
    stays = definition.schedule == job.definition.schedule and not begins_anew
    if stays and definition == job.definition:
        return job
    if stays:
        return job.changed(now, definition=definition, host=host)
    status = JobStatus.PAUSED if job.status is JobStatus.PAUSED else JobStatus.ACTIVE
    next_run = first_run(definition.schedule, now, planned_through)
    return job.changed(
        now,
        definition=definition,
        planned_through=planned_through,
        host=host,
        status=status,
        inactive_reason=None,
        next_run=next_run if status is JobStatus.ACTIVE else None,
    )


def passes_over_what_is_due(before: Job, after: Job, now: datetime) -> bool:
    """Whether an instant has come that is not planned yet, and would not be after this change.

    A pause does that, and another schedule in the place of a line. The one instant of a one-time job is moved as long
    as it is not planned. Of a deleted job nobody sees what became of it.
    """
    if before.next_run is None or before.next_run > now:
        return False
    reschedules = not before.is_one_time and after.definition.schedule != before.definition.schedule
    return reschedules or after.status is JobStatus.PAUSED


def paused(job: Job, now: datetime) -> Job:
    if job.status is JobStatus.INACTIVE:
        raise Conflict("the job is inactive and cannot be paused")
    if job.status is JobStatus.PAUSED:
        return job
    return job.changed(now, status=JobStatus.PAUSED, next_run=None)


def resumed(job: Job, now: datetime) -> Job:
    """Planned from now on; a one-time job whose instant has passed becomes inactive, reason ``missed``.

    A job that a clock far ahead has planned into the future comes back by this, too.
    """
    if job.status is JobStatus.INACTIVE:
        raise Conflict("the job is inactive; an update that names a schedule makes it active")
    if job.status is JobStatus.ACTIVE:
        return job
    planned_through = _believed(job, now)
    next_run = job.definition.schedule.next_after(max(now, planned_through or now))
    if next_run is not None:
        return job.changed(now, status=JobStatus.ACTIVE, next_run=next_run, planned_through=planned_through)
    reason = InactiveReason.MISSED if job.is_one_time else InactiveReason.EXHAUSTED
    return job.changed(now, status=JobStatus.INACTIVE, inactive_reason=reason, next_run=None)


def deleted(job: Job, now: datetime) -> Job:
    """Erase payload, headers, metadata and the path and query of the URL: a deleted job never sends them again."""
    return job.changed(
        now,
        definition=evolve(
            job.definition,
            callback_url=_origin_of(job.definition.callback_url),
            headers=(),
            payload=NULL_PAYLOAD,
            metadata={},
        ),
        status=JobStatus.INACTIVE,
        inactive_reason=InactiveReason.DELETED,
        next_run=None,
        deleted_at=now,
    )


def _origin_of(url: str) -> str:
    """The URL without path and query, in which services such as chat webhooks keep their secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _is_ahead(job: Job, now: datetime) -> bool:
    return job.definition.schedule.next_after(max(now, job.planned_through or now)) is not None


def believed(schedule: Schedule, planned_through: datetime | None, now: datetime) -> datetime | None:
    """``planned_through``; None where only a wrong clock can have planned a line so far.

    What has run does not run again all the same. The one instant of a one-time job has had its turn by any clock.
    """
    if planned_through is None or isinstance(schedule, OneTimeSchedule):
        return planned_through
    return None if planned_through > now + CLOCKS_GO_BACK_BY else planned_through


def _believed(job: Job, now: datetime) -> datetime | None:
    return believed(job.definition.schedule, job.planned_through, now)


def _check_run_at(run_at: datetime, now: datetime, planned_through: datetime | None) -> None:
    if planned_through is not None and run_at <= planned_through:
        raise InvalidRunAt("the job has already run at or after this instant; give a later one")
    if run_at < now - RUN_AT_GRACE:
        raise InvalidRunAt(f"the instant {run_at.isoformat()} has passed; give one in the future")
    if run_at > now + RUN_AT_HORIZON:
        raise InvalidRunAt("the instant is more than ten years ahead")

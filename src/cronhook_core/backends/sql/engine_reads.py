"""What schedulers read, on a connection within one transaction."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, Integer, bindparam, literal, select, tuple_

from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import BELIEVED_CLOCK, ZONE_RULES, jobs, meta, timetable
from cronhook_core.backends.sql.types import Instant, Key
from cronhook_core.domain.job import JobStatus
from cronhook_core.domain.planning import DueJob

_LIMIT = bindparam("limit", type_=Integer)
_NOW = bindparam("now", type_=Instant)
_AFTER = tuple_(bindparam("after", type_=Instant), bindparam("after_id", type_=Key))
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_DUE_JOBS = select(
    jobs.c.id,
    jobs.c.workspace_id,
    jobs.c.host,
    jobs.c.revision,
    jobs.c.cron,
    jobs.c.timezone,
    jobs.c.run_at,
    jobs.c.next_run,
    jobs.c.planned_through,
    jobs.c.updated_at,
)

_BY_TIMETABLE = _DUE_JOBS.select_from(timetable.join(jobs, jobs.c.id == timetable.c.job_id)).where(
    jobs.c.status == JobStatus.ACTIVE, jobs.c.next_run == timetable.c.next_run
)
_TIMETABLE_ORDER = (timetable.c.next_run, timetable.c.job_id)
_DUE_BY_TIMETABLE = (
    _BY_TIMETABLE.where(timetable.c.next_run <= _NOW, tuple_(*_TIMETABLE_ORDER) > _AFTER)
    .order_by(*_TIMETABLE_ORDER)
    .limit(_LIMIT)
)


def due_jobs(connection: Connection, now: datetime, limit: int, after: DueJob | None = None) -> list[DueJob]:
    """In the order of the timetable; the jobs have the last word."""
    place = {"after": _LONG_AGO, "after_id": ""} if after is None else {"after": after.next_run, "after_id": after.id}
    due = connection.execute(_DUE_BY_TIMETABLE, {"now": now, "limit": limit, **place})
    return [rows.due_job_from(row) for row in due]


def upcoming_jobs(connection: Connection, beyond: datetime, limit: int, after: DueJob | None) -> list[DueJob]:
    query = _BY_TIMETABLE.where(timetable.c.next_run > beyond).order_by(*_TIMETABLE_ORDER).limit(limit)
    if after is not None:
        query = query.where(tuple_(*_TIMETABLE_ORDER) > tuple_(literal(after.next_run, Instant), literal(after.id)))
    return [rows.due_job_from(row) for row in connection.execute(query)]


def zone_rules(connection: Connection) -> str | None:
    return _fact(connection, ZONE_RULES)


def believed_clock(connection: Connection) -> datetime | None:
    text = _fact(connection, BELIEVED_CLOCK)
    return None if text is None else datetime.fromisoformat(text)


def _fact(connection: Connection, key: str) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()

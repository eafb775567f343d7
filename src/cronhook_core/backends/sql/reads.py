"""The reads of `JobCatalog`, on a connection within one transaction. Each carries the workspace.

A list of what belongs to one workspace or job is asked for as a range of the index over both columns, see `_newest_of`:
``owner = ? ORDER BY id DESC`` could as well be answered by walking over all ids, and a planner does so that takes the
owner's rows for frequent. It then reads everything newer that belongs to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
    union_all,
)

from cronhook_core.backends.sql import rows
from cronhook_core.backends.sql.tables import (
    KEPT,
    QUEUED_BY_USER,
    attempts,
    claims,
    executions,
    jobs,
    open_executions,
    open_jobs,
    workspaces,
)
from cronhook_core.backends.sql.types import line_of
from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus
from cronhook_core.domain.job import NULL_PAYLOAD, Job, JobStatus
from cronhook_core.domain.webhook import Outcome
from cronhook_core.ports.job_catalog import JobFilter

_BYTES_WITHOUT_PAYLOAD = jobs.c.stored_bytes - func.length(jobs.c.payload) + len(NULL_PAYLOAD)
_newest = executions.alias("newest")
_SHOWN = attempts.c.outcome != Outcome.RELEASED
_OPEN = (JobStatus.ACTIVE, JobStatus.PAUSED)
_TOLD = (Outcome.SUCCEEDED, Outcome.LOST, Outcome.INTERRUPTED)
"""Outcomes that are a status by themselves; every other one is the status ``failed``."""


# What the API asks for most is put together once: that took longer than the database takes to answer.
_COUNTED_IDS = select(open_jobs.c.job_id).where(open_jobs.c.workspace_id == bindparam("counted_workspace"))
_COUNT = select(func.count()).select_from(_COUNTED_IDS.subquery())
_COUNT_UP_TO = select(func.count()).select_from(_COUNTED_IDS.limit(bindparam("up_to", type_=Integer)).subquery())
_QUEUED_BY_USERS = select(open_executions.c.execution_id).where(QUEUED_BY_USER)


def get_job(connection: Connection, workspace_id: str, job_id: str) -> Job | None:
    row = connection.execute(_SHOWN_JOB, {"shown_workspace": workspace_id, "shown_job": job_id}).one_or_none()
    return None if row is None else _job(row)


def list_jobs(
    connection: Connection,
    workspace_id: str,
    matching: JobFilter,
    limit: int,
    before_id: str | None,
    with_payload: bool = True,
    max_bytes: int | None = None,
) -> list[Job]:
    """The database looks at the lengths of the rows first, and reads those that are within ``max_bytes``."""
    listed, workspace = jobs.c.id, jobs.c.workspace_id
    query = select(jobs.c.id, (jobs.c.stored_bytes if with_payload else _BYTES_WITHOUT_PAYLOAD).label("bytes"))
    query = query.where(KEPT)
    if matching.status in _OPEN:  # there may be few among millions that have ended
        listed, workspace = open_jobs.c.job_id, open_jobs.c.workspace_id
        query = query.join(open_jobs, listed == jobs.c.id)
    query = _newest_of(query.where(*_conditions(matching)), workspace, workspace_id, listed, before_id).limit(limit)
    page = (_KEPT_JOBS if with_payload else _KEPT_JOBS_WITHOUT_PAYLOAD).order_by(jobs.c.id.desc())
    page = page.where(jobs.c.id.in_(_first_of(query.subquery(), max_bytes)))
    return [_job(row) for row in connection.execute(page)]


def _first_of(sized: Subquery, max_bytes: int | None) -> Select[Any]:
    """The ids of the rows before which the others take no more than ``max_bytes`` together."""
    if max_bytes is None:
        return select(sized.c.id)
    before = (func.sum(sized.c.bytes).over(order_by=sized.c.id.desc()) - sized.c.bytes).label("before")
    summed = select(sized.c.id, before).subquery()
    return select(summed.c.id).where(summed.c.before <= max_bytes)


def count_jobs(connection: Connection, workspace_id: str, up_to: int | None = None) -> int:
    """How many jobs count against the quota; not counted further than ``up_to``."""
    if up_to is None:
        return connection.execute(_COUNT, {"counted_workspace": workspace_id}).scalar_one()
    return connection.execute(_COUNT_UP_TO, {"counted_workspace": workspace_id, "up_to": up_to}).scalar_one()


def count_queued(connection: Connection, workspace_id: str, job_id: str | None = None, up_to: int | None = None) -> int:
    """How many executions that users queued have not ended, of the workspace or of one of its jobs; up to ``up_to``."""
    queued = _QUEUED_BY_USERS if job_id is None else _QUEUED_BY_USERS.where(open_executions.c.job_id == job_id)
    counted = queued.where(open_executions.c.manual_workspace_id == workspace_id).limit(up_to)
    return connection.execute(select(func.count()).select_from(counted.subquery())).scalar_one()


def stored_bytes(connection: Connection, workspace_id: str) -> int:
    """How many stored bytes count against the quota, or fewer; 0 where there is no such workspace."""
    query = select(workspaces.c.stored_bytes_bound).where(workspaces.c.id == workspace_id)
    return connection.execute(query).scalar_one_or_none() or 0


def get_execution(connection: Connection, workspace_id: str, execution_id: str) -> Execution | None:
    query = select(executions).where(executions.c.id == execution_id, executions.c.workspace_id == workspace_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else rows.execution_from(row)


def list_executions(
    connection: Connection,
    workspace_id: str,
    job_id: str,
    status: ExecutionStatus | None,
    limit: int,
    before_id: str | None,
) -> list[Execution]:
    query = select(executions).where(executions.c.workspace_id == workspace_id)
    if status is not None:
        query = query.where(executions.c.status == status)
    query = _newest_of(query, executions.c.job_id, job_id, executions.c.id, before_id).limit(limit)
    return [rows.execution_from(row) for row in connection.execute(query)]


def _newest_of(
    query: Select[Any],
    owner: ColumnElement[str],
    owner_id: str | ColumnElement[str],
    listed: ColumnElement[str],
    before_id: str | None = None,
) -> Select[Any]:
    """The rows of one owner by ``listed``, descending, from the one after ``before_id`` on."""
    query = query.where(owner >= owner_id).order_by(owner.desc(), listed.desc())
    if before_id is None:
        return query.where(owner <= owner_id)
    return query.where(tuple_(owner, listed) < tuple_(literal(owner_id), literal(before_id)))


def list_attempts(
    connection: Connection,
    workspace_id: str,
    job_id: str,
    status: str | None,
    oldest_first: bool,
    offset: int,
    limit: int,
    count_up_to: int,
) -> tuple[list[Attempt], int | None]:
    ended = select(attempts).where(attempts.c.job_id == job_id, attempts.c.workspace_id == workspace_id, _SHOWN)
    running = _RUNNING.where(claims.c.job_id == job_id, executions.c.workspace_id == workspace_id)
    if status is None:
        page, total = _merged(connection, ended, running, oldest_first, offset, limit, count_up_to)
    else:
        shown = running if status == "running" else ended.where(_has_status(status))
        query = shown.order_by(*_order(shown, oldest_first)).offset(offset).limit(limit)
        page = [rows.attempt_from(row) for row in connection.execute(query)]
        total = connection.execute(select(_counted(shown, count_up_to))).scalar_one()
    return page, total if total <= count_up_to else None


def _counted(shown: Select[Any], up_to: int) -> ScalarSelect[int]:
    """How many rows there are, counted to one more than ``up_to``."""
    order = [shown.selected_columns[name] for name in ("job_id", "started_at")]
    return select(func.count()).select_from(shown.order_by(*order).limit(up_to + 1).subquery()).scalar_subquery()


def _merged(
    connection: Connection,
    ended: Select[Any],
    running: Select[Any],
    oldest_first: bool,
    offset: int,
    limit: int,
    count_up_to: int,
) -> tuple[list[Attempt], int]:
    """A page of both together, and how many there are.

    A union of all would be sorted as a whole, and a history is long: of what ended only as much is read as may be on
    the page. One statement sees one state, where an attempt that ends meanwhile is in one place.
    """
    held = running.cte("held")
    count = select(func.count()).select_from(held).scalar_subquery()
    first = case((count < offset, offset - count), else_=0)
    page = ended.order_by(*_order(ended, oldest_first)).offset(first).limit(limit + count).subquery("page")
    totals = select(
        (_counted(ended, count_up_to) + count).label("total"),
        first.label("first"),
    ).subquery("totals")
    found = union_all(select(page), select(held)).subquery("found")
    read = connection.execute(select(totals, found).select_from(totals.outerjoin(found, true()))).all()
    merged = [rows.attempt_from(row) for row in read if row.execution_id is not None]
    merged.sort(key=lambda a: (a.started_at, a.execution_id, a.attempt_no), reverse=not oldest_first)
    begin = offset - read[0].first
    return merged[begin : begin + limit], read[0].total


def _order(shown: Select[Any], oldest_first: bool) -> list[ColumnElement[Any]]:
    columns = [shown.selected_columns[name] for name in ("started_at", "execution_id", "attempt_no")]
    return columns if oldest_first else [column.desc() for column in columns]


def attempts_of(connection: Connection, workspace_id: str, execution_id: str) -> list[Attempt]:
    ended = select(attempts).where(
        attempts.c.execution_id == execution_id, attempts.c.workspace_id == workspace_id, _SHOWN
    )
    running = _RUNNING.where(claims.c.execution_id == execution_id, executions.c.workspace_id == workspace_id)
    shown = union_all(ended, running).subquery()
    return [rows.attempt_from(row) for row in connection.execute(select(shown).order_by(shown.c.attempt_no))]


def _running_attempts() -> Select[Any]:
    """The claims, as rows of ``job_logs`` that have no result yet."""
    known: dict[str, ColumnElement[Any]] = {
        **dict(claims.c.items()),
        "workspace_id": executions.c.workspace_id,
        "scheduled_for": executions.c.scheduled_for,
        "late": false(),
        "response_truncated": false(),
    }
    columns = [known.get(column.name, cast(null(), column.type)).label(column.name) for column in attempts.c]
    return select(*columns).join_from(claims, executions, executions.c.id == claims.c.execution_id)


_RUNNING = _running_attempts()


def _kept_jobs(*columns: ColumnElement[Any]) -> Select[Any]:
    """Jobs that are not deleted, each beside its newest execution."""
    newest_id = _newest_of(select(executions.c.id), executions.c.job_id, jobs.c.id, executions.c.id).limit(1)
    return (
        select(*columns, _newest.c.scheduled_for.label("last_run"), _newest.c.status.label("last_run_status"))
        .select_from(jobs.outerjoin(_newest, _newest.c.id == newest_id.scalar_subquery()))
        .where(KEPT)
    )


_KEPT_JOBS = _kept_jobs(*jobs.c)
_NO_PAYLOAD = literal(NULL_PAYLOAD, jobs.c.payload.type).label(jobs.c.payload.name)
_KEPT_JOBS_WITHOUT_PAYLOAD = _kept_jobs(*(_NO_PAYLOAD if column is jobs.c.payload else column for column in jobs.c))
_SHOWN_JOB = _KEPT_JOBS.where(jobs.c.workspace_id == bindparam("shown_workspace"), jobs.c.id == bindparam("shown_job"))


def _job(row: rows.AnyRow) -> Job:
    return rows.with_last_run(rows.job_from(row), row)


def _conditions(matching: JobFilter) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if matching.status is not None:
        found.append(jobs.c.status == matching.status)
    if matching.tag is not None:  # both databases compare what `replace` looks for exactly, and LIKE they do not
        found.append(func.replace(jobs.c.tags, line_of(matching.tag), "") != jobs.c.tags)
    if matching.text is not None:
        found.append(func.lower(jobs.c.name).contains(_ascii_lower(matching.text), autoescape=True))
    return found


def _ascii_lower(text: str) -> str:
    """What ``lower`` makes of text in both databases: on Postgres the column's collation keeps it to ASCII."""
    return "".join(character.lower() if character.isascii() else character for character in text)


def _has_status(status: str) -> ColumnElement[bool]:
    """Whether the row of an attempt that ended has this `Attempt.status`; no row has a word that is none."""
    outcome, word = attempts.c.outcome, status.removeprefix("late_")
    has_word = outcome.not_in(_TOLD) if word == "failed" else and_(outcome == word, outcome.in_(_TOLD))
    return and_(attempts.c.late.is_(word != status), has_word)

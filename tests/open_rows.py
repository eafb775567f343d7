"""Whether what is listed as open is what is: the small tables beside jobs and executions say nothing else."""

from collections.abc import Callable, Sequence
from typing import Any

_LISTED = {
    "SELECT execution_id, job_id, available_at, manual_workspace_id FROM open_executions": (
        "SELECT id, job_id, available_at, CASE WHEN trigger <> 'schedule' THEN workspace_id END FROM executions"
        " WHERE status IN ('queued', 'running')"
    ),
    "SELECT execution_id, attempt_no, worker_id FROM claims": (
        "SELECT id, attempt_no, worker_id FROM executions WHERE status = 'running'"
    ),
    "SELECT job_id, workspace_id FROM open_jobs": "SELECT id, workspace_id FROM jobs WHERE status <> 'inactive'",
    "SELECT job_id, next_run FROM timetable": (
        "SELECT id, next_run FROM jobs WHERE status = 'active' AND next_run IS NOT NULL"
    ),
}

_BOUNDS_TOO_LOW = (
    "SELECT id FROM workspaces"
    " WHERE open_jobs_bound < (SELECT count(*) FROM open_jobs WHERE open_jobs.workspace_id = workspaces.id)"
    " OR queued_bound < (SELECT count(*) FROM open_executions WHERE manual_workspace_id = workspaces.id)"
)

_BYTES_TOO_LOW = (
    "SELECT id FROM workspaces WHERE stored_bytes_bound < ("
    "SELECT sum(stored_bytes) FROM jobs WHERE jobs.workspace_id = workspaces.id AND deleted_at IS NULL)"
)


def assert_what_is_open_is_listed(rows_of: Callable[[str], Sequence[Any]]) -> None:
    """``rows_of`` asks the database."""
    for listed, is_open in _LISTED.items():
        assert list(rows_of(f"{is_open} EXCEPT {listed}")) == [], "open, and not listed as that"
        assert list(rows_of(f"{listed} EXCEPT {is_open}")) == [], "listed as open, and not that"
    assert list(rows_of(_BOUNDS_TOO_LOW)) == [], "more is open than the bounds of the workspace say"
    assert list(rows_of(_BYTES_TOO_LOW)) == [], "jobs take more bytes than the bound of their workspace says"

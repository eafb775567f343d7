"""Whether what is listed as open is what is: the small table beside the executions must never say anything else."""

from collections.abc import Callable, Sequence
from typing import Any

_OPEN = "SELECT id, job_id, available_at, worker_id FROM executions WHERE status IN ('queued', 'running')"
_LISTED = "SELECT execution_id, job_id, available_at, worker_id FROM open_executions"


def assert_open_executions_are_listed(rows_of: Callable[[str], Sequence[Any]]) -> None:
    """``rows_of`` asks the database."""
    assert list(rows_of(f"{_OPEN} EXCEPT {_LISTED}")) == [], "open, and not listed as that"
    assert list(rows_of(f"{_LISTED} EXCEPT {_OPEN}")) == [], "listed as open, and not that"

"""What the statements that end attempts have in common: how an attempt's row is written.

What ends an attempt deletes its claim, and writes its row from that. A result that is refused, or that is accepted
after the attempt was given up, finds the row there and corrects it: whatever ended the attempt wrote it in one step
with its execution, whose row we waited for. Our snapshot may be older than that, and not show the row; the conflict
does. ``worker_id`` and ``started_at`` of what is proposed are there for the form, and not stored.
"""

from __future__ import annotations

ANSWER = "error, response_status, response_headers, response_body, response_truncated, duration_us"
"""What came of a request, besides its outcome."""
ENDED = f"execution_id, attempt_no, job_id, workspace_id, scheduled_for, worker_id, started_at, finished_at, {ANSWER}"
"""The columns of an attempt that has a result, but for ``outcome``, ``late`` and ``next_attempt_at``."""

CORRECT = f"""ON CONFLICT (execution_id, attempt_no) DO UPDATE SET
        outcome = excluded.outcome,
        late = excluded.late,
        finished_at = excluded.finished_at,
        ({ANSWER}) = ROW ({", ".join(f"excluded.{name}" for name in ANSWER.split(", "))}),
        next_attempt_at = CASE WHEN excluded.late THEN a.next_attempt_at END
    WHERE NOT excluded.late OR a.outcome = 'lost'"""
"""For an insert into ``job_logs AS a``. A late result counts only where there is no other."""

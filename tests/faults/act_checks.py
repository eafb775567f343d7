"""I8 as well: what became of executions and jobs is what users' acts, and receivers' answers, bring about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.faults.history import Bounds, History, Row, Violation

ACT_FOR = {"paused": "pause", "deleted": "delete", "cancelled": "cancel"}
"""Which act cancels executions for which reason."""
GONE = 410


def only_what_acts_bring(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Nothing is cancelled without the act for it, or goes on in spite of one; a job ends by its results."""
    for execution in history.database.executions:
        if execution["status"] == "cancelled":
            for complaint in _without_cause(execution, history, bounds.clocks):
                yield Violation("I8", execution["id"], complaint)
    for change in history.database.transitions:
        if (change["old_status"], change["new_status"]) == ("running", "queued") and is_barred(change, history):
            yield Violation("I8", change["execution_id"], "it is tried again, and its job was paused or deleted")
    for attempt in (attempt for attempt in history.database.attempts if _is_gone(attempt)):
        yield from _not_ended_by(attempt, history)
    yield from _wrong_ends(history)


def _wrong_ends(history: History) -> Iterator[Violation]:
    for job in (job for job in history.database.jobs if job["deleted_at"] is None):
        if (job["status"] == "inactive") != (job["inactive_reason"] is not None):
            yield Violation("I8", job["id"], f"it is {job['status']} for the reason {job['inactive_reason']}")
        for execution in history.scheduled_of.get(job["id"], []):
            if job["status"] != "inactive" and _was_its_one_run(execution, job):
                yield Violation("I8", job["id"], f"its one run {execution['status']}, and it is {job['status']}")


def is_barred(change: Row, history: History) -> bool:
    """Whether, when this changed, the job did not let the execution run."""
    execution = history.executions.get(change["execution_id"])
    is_scheduled = execution is not None and execution["trigger"] == "schedule"
    return change["job_deleted_at"] is not None or (change["job_status"] == "paused" and is_scheduled)


def _without_cause(execution: Row, history: History, clocks: timedelta) -> Iterator[str]:
    reason, job_id = execution["reason"], execution["job_id"]
    until = execution["finished_at"] + clocks
    asked_for = {act.kind for act in history.acts_of.get(job_id, []) if act.asked_at <= until}
    if reason in ACT_FOR and ACT_FOR[reason] not in asked_for:
        yield f"it was cancelled as {reason}, and nobody had asked for that"
    if reason == "paused" and execution["trigger"] != "schedule":
        yield f"it was cancelled as paused, and its trigger is {execution['trigger']}"
    if reason == "gone" and not any(_is_gone(a) and a["job_id"] == job_id for a in history.database.attempts):
        yield "it was cancelled as gone, and no receiver had said so"


def _not_ended_by(attempt: Row, history: History) -> Iterator[Violation]:
    execution = history.executions.get(attempt["execution_id"])
    if execution is not None and (execution["status"], execution["reason"]) != ("failed", "gone"):
        told = f"attempt {attempt['attempt_no']} was answered {GONE}, and it is {execution['status']}"
        yield Violation("I8", execution["id"], told)


def _is_gone(attempt: Row) -> bool:
    return bool(attempt["response_status"] == GONE and not attempt["late"])


def _was_its_one_run(execution: Row, job: Row) -> bool:
    is_the_one = execution["scheduled_for"] == job["run_at"] and job["next_run"] is None
    return bool(is_the_one and execution["status"] in ("succeeded", "failed"))

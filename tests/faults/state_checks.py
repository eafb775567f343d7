"""I5, I8, I9 and I10: every execution is in a state that the diagram has, and came there by its edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from tests.faults.act_checks import is_barred, only_what_acts_bring
from tests.faults.history import Arrival, Bounds, History, Row, Violation
from tests.faults.timeliness_checks import NO_FAILURES

FINAL = frozenset({"succeeded", "failed", "cancelled", "skipped"})
TRIGGERS = frozenset({"schedule", "manual", "replay"})
CANCELLED_FOR = frozenset({"paused", "deleted", "cancelled", "gone"})
EDGES: dict[tuple[str | None, str | None], str] = {
    (None, "queued"): "plan",
    ("queued", "running"): "claim",
    ("queued", "cancelled"): "cancel",
    ("queued", "succeeded"): "late success",
    ("running", "succeeded"): "finish",
    ("running", "failed"): "finish",
    ("running", "queued"): "retry",
    ("running", "cancelled"): "finish",
    **{(status, None): "prune" for status in FINAL},
}
MOST_LOSSES = 3
SUSPENSION = "SIGSTOP"
"""The kind of fault after which a worker goes on in the middle of what it was doing."""


def no_stuck_work(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Nothing runs, or ran, long after its deadline; nothing waits that a living worker may take."""
    if not bounds.settled:
        return
    yield from _held_too_long(history, bounds)
    living = any(worker["buried_at"] is None for worker in history.database.workers)
    for execution in history.database.executions:
        if execution["status"] == "running":
            yield from _overrun(execution, history, bounds)
        elif execution["status"] == "queued":
            job = history.jobs.get(execution["job_id"])
            if job is not None and _will_not_run(execution, job):
                yield Violation("I5", execution["id"], "it is queued, and its job will not let it run")
            elif living and execution["available_at"] + bounds.overdue < history.taken_at:
                yield Violation("I5", execution["id"], f"it could be claimed since {execution['available_at']}")


def only_known_edges(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Each row makes sense in itself and beside its attempts, and each change is an edge of the diagram."""
    for execution in history.database.executions:
        for complaint in _complaints(execution, history.attempts_of.get(execution["id"], [])):
            yield Violation("I8", execution["id"], complaint)
    for change in history.database.transitions:
        old, new = change["old_status"], change["new_status"]
        if old != new and (old, new) not in EDGES:
            yield Violation("I8", change["execution_id"], f"it went from {old} to {new}")
        if EDGES.get((old, new)) == "claim" and is_barred(change, history):
            yield Violation("I8", change["execution_id"], "it was claimed, and its job was paused or deleted")
    yield from only_what_acts_bring(history, bounds)


def only_growing_numbers(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Attempts are numbered without gaps, only a claim begins one, and only the newest decides."""
    for change in history.database.transitions:
        yield from _wrong_number(change)
    for execution in history.database.executions:
        attempts = history.attempts_of.get(execution["id"], [])
        numbers = [attempt["attempt_no"] for attempt in attempts]
        if numbers != list(range(1, execution["attempt_no"] + 1)):
            yield Violation("I9", execution["id"], f"its attempts are {numbers}, of {execution['attempt_no']}")
        for complaint in _decided_by_another(execution, attempts):
            yield Violation("I9", execution["id"], complaint)


def no_overspent_budget(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Retries within the budget, at most three losses, all of them counted; no send of a worker without trust."""
    for execution in history.database.executions:
        if execution["retries_used"] > _budget(execution, history):
            yield Violation("I10", execution["id"], f"it used {execution['retries_used']} retries")
        if execution["losses"] > MOST_LOSSES:
            yield Violation("I10", execution["id"], f"it was lost {execution['losses']} times")
        for complaint in _miscounted(execution, history.attempts_of.get(execution["id"], [])):
            yield Violation("I10", execution["id"], complaint)
    yield from _lost_in_order(history)
    buried = (row for row in history.database.workers if row["buried_at"] is not None)
    by_beats = {row["id"]: min(row["buried_at"], row["last_beat_at"] + bounds.trust) for row in buried}
    trust_ended = {**by_beats, **history.fault_log.trust_ended}
    for arrival in history.arrivals:
        attempt = history.attempts.get((arrival.execution_id, arrival.attempt_no))
        ended = trust_ended.get(attempt["worker_id"]) if attempt is not None else None
        if attempt is None or ended is None or _was_leaving(arrival, attempt["worker_id"], ended, history):
            continue
        if arrival.received_at > ended + bounds.connecting:
            yield Violation(
                "I10", f"{arrival.execution_id} attempt {arrival.attempt_no}", "its worker had no trust left"
            )


def _lost_in_order(history: History) -> Iterator[Violation]:
    """Losses of workers that nothing befell but an orderly stop."""
    faults = history.fault_log.faults
    stopped = frozenset[str]().union(*(fault.workers for fault in faults if fault.orderly))
    stopped -= frozenset[str]().union(*(fault.workers for fault in faults if not fault.orderly))
    for attempt in history.database.attempts:
        if attempt["outcome"] == "lost" and attempt["worker_id"] in stopped:
            name = f"{attempt['execution_id']} attempt {attempt['attempt_no']}"
            yield Violation("I10", name, "it was lost, and its worker was only stopped in order")


def _was_leaving(arrival: Arrival, worker_id: str, trust_ended: datetime, history: History) -> bool:
    """Whether its worker signed it in trust, and was stopped before it arrived.

    A worker looks at its trust right before it signs, so that the signature says when the send was started. What was
    claimed in trust, and signed without, is not excused.
    """
    signed_at = datetime.fromtimestamp(arrival.timestamp, UTC)  # rounded down to a second
    return signed_at <= trust_ended and any(
        fault.kind == SUSPENSION
        and worker_id in fault.workers
        and signed_at <= fault.ended
        and fault.began <= arrival.received_at
        for fault in history.fault_log.faults
    )


def _held_too_long(history: History, bounds: Bounds) -> Iterator[Violation]:
    if bounds.held is None:
        return
    for attempt in history.database.attempts:
        job, ended = history.jobs.get(attempt["job_id"]), attempt["finished_at"]
        if job is None or ended is None or attempt["late"]:
            continue
        lasted = ended - attempt["started_at"]
        faults = (f for f in history.fault_log.faults if f.began < ended and attempt["started_at"] < f.ended)
        excused = sum((min(f.ended, ended) - max(f.began, attempt["started_at"]) for f in faults), timedelta())
        if lasted > timedelta(microseconds=job["timeout_us"]) + bounds.held + excused:
            name = f"{attempt['execution_id']} attempt {attempt['attempt_no']}"
            yield Violation("I5", name, f"it was under way for {lasted.total_seconds():.1f} s, until {ended}")


def _overrun(execution: Row, history: History, bounds: Bounds) -> Iterator[Violation]:
    attempt = history.attempts.get((execution["id"], execution["attempt_no"]))
    job = history.jobs.get(execution["job_id"])
    if attempt is not None and job is not None:
        deadline = attempt["started_at"] + timedelta(microseconds=job["timeout_us"])
        if deadline + bounds.running < history.taken_at:
            yield Violation("I5", execution["id"], f"it is still running, and its deadline was {deadline}")


def _will_not_run(execution: Row, job: Row) -> bool:
    is_paused = job["status"] == "paused" and execution["trigger"] == "schedule"
    return job["deleted_at"] is not None or is_paused


def _complaints(execution: Row, attempts: Sequence[Row]) -> Iterator[str]:
    status, newest = execution["status"], attempts[-1] if attempts else None
    if status not in FINAL | {"queued", "running"} or execution["trigger"] not in TRIGGERS:
        yield f"nobody knows what {status} by {execution['trigger']} means"
    if (status in FINAL) != (execution["finished_at"] is not None):
        yield f"it is {status} and finished_at is {execution['finished_at']}"
    if (status == "running") != (execution["worker_id"] is not None):
        yield f"it is {status} and its worker is {execution['worker_id']}"
    under_way = [attempt["attempt_no"] for attempt in attempts if attempt["outcome"] is None]
    if under_way != ([execution["attempt_no"]] if status == "running" else []):
        yield f"it is {status} and its attempts under way are {under_way}"
    yield from _reason_complaints(execution, newest)


def _reason_complaints(execution: Row, newest: Row | None) -> Iterator[str]:
    status, reason = execution["status"], execution["reason"]
    if status in ("queued", "running", "succeeded") and reason is not None:
        yield f"it is {status} for the reason {reason}"
    if status == "cancelled" and reason not in CANCELLED_FOR:
        yield f"it was cancelled for the reason {reason}"
    if status == "failed" and reason is None:
        yield "it failed without a reason"
    if reason == "lost" and execution["losses"] < MOST_LOSSES:
        yield f"it failed as lost after {execution['losses']} losses"
    if status == "failed" and reason == "gone" and (newest is None or newest["response_status"] != 410):
        yield "it failed as gone, and its newest attempt was not answered 410"


def _wrong_number(change: Row) -> Iterator[Violation]:
    old, new = change["old_attempt_no"], change["new_attempt_no"]
    if old is None or new is None:
        return
    step = 1 if (change["old_status"], change["new_status"]) == ("queued", "running") else 0
    if new - old != step:
        edge = f"{change['old_status']} -> {change['new_status']}"
        yield Violation("I9", change["execution_id"], f"attempt_no went from {old} to {new} with {edge}")


def _decided_by_another(execution: Row, attempts: Sequence[Row]) -> Iterator[str]:
    by_number = {attempt["attempt_no"]: attempt for attempt in attempts}
    newest = by_number.get(execution["attempt_no"])
    if execution["status"] == "succeeded" and (newest is None or newest["outcome"] != "succeeded" or newest["late"]):
        yield "it succeeded, and its newest attempt did not"
    for attempt in attempts:
        won = attempt["outcome"] == "succeeded" and not attempt["late"]
        if won and (attempt is not newest or execution["status"] != "succeeded"):
            yield f"attempt {attempt['attempt_no']} succeeded in time, and the execution is {execution['status']}"


def _miscounted(execution: Row, attempts: Sequence[Row]) -> Iterator[str]:
    """The counters agree with the attempts; a success that came after its loss has no row that tells of the loss."""
    in_time = [attempt["outcome"] for attempt in attempts if not attempt["late"]]
    failures = [outcome for outcome in in_time if outcome not in NO_FAILURES]
    gave_up = execution["status"] == "failed" and execution["reason"] != "lost"
    if len(failures) != execution["retries_used"] + gave_up:
        yield f"{len(failures)} attempts failed, {execution['retries_used']} retries were used"
    if in_time.count("released") != execution["releases"]:
        yield f"{in_time.count('released')} attempts were given back, {execution['releases']} are counted"
    lost = in_time.count("lost") + sum(bool(attempt["late"]) for attempt in attempts)
    if not lost <= execution["losses"] <= lost + (execution["status"] == "succeeded"):
        yield f"{lost} attempts were lost, {execution['losses']} are counted"


def _budget(execution: Row, history: History) -> int:
    """The greatest that the job ever had: retries are counted by the policy of their own attempt."""
    job = history.jobs.get(execution["job_id"])
    known = [act.retries for act in history.acts_of.get(execution["job_id"], []) if act.retries is not None]
    if job is not None:
        known.append(job["retries"])
    return max(known, default=0)

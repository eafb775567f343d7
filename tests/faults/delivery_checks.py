"""I3, I4, I6, I7 and I12: what the receiver saw agrees with what the database says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from tests.faults.history import Arrival, Bounds, Fault, History, Row, Violation


def no_unrecorded_post(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Every POST has an attempt's row, which was there before it, and which does not say that nothing was sent."""
    for arrival in history.arrivals:
        attempt = history.attempts.get((arrival.execution_id, arrival.attempt_no))
        if attempt is None:
            yield Violation("I3", _name(arrival), "it was sent, and no attempt's row tells of it")
        elif attempt["started_at"] > arrival.received_at + bounds.clocks:
            yield Violation("I3", _name(arrival), f"its row began at {attempt['started_at']}, after it was sent")
        elif attempt["outcome"] == "released":
            yield Violation("I3", _name(arrival), "it was sent, and its row says that it was given back unsent")


def no_repeated_attempt(history: History, bounds: Bounds) -> Iterator[Violation]:
    """The receiver sees an execution's attempt at most once."""
    seen = Counter((arrival.execution_id, arrival.attempt_no) for arrival in history.arrivals)
    for (execution_id, attempt_no), times in seen.items():
        if times > 1:
            yield Violation("I4", f"{execution_id} attempt {attempt_no}", f"it was sent {times} times")


def no_invented_success(history: History, bounds: Bounds) -> Iterator[Violation]:
    """Who succeeded had been answered 2xx."""
    delivered = {(a.execution_id, a.attempt_no) for a in history.arrivals if a.is_delivery}
    executions = {execution_id for execution_id, _ in delivered}
    for key, attempt in history.attempts.items():
        if attempt["outcome"] == "succeeded" and key not in delivered:
            yield Violation("I6", f"{key[0]} attempt {key[1]}", "it succeeded, and the receiver never answered 2xx")
    for execution in history.database.executions:
        if execution["status"] == "succeeded" and execution["id"] not in executions:
            yield Violation("I6", execution["id"], "it succeeded, and the receiver never answered 2xx")


def no_forgotten_success(history: History, bounds: Bounds) -> Iterator[Violation]:
    """A 2xx that a surviving worker heard, and that no newer claim or end came before, makes an execution succeed."""
    if not bounds.settled:
        return
    for arrival in history.arrivals:
        execution = history.executions.get(arrival.execution_id)
        attempt = history.attempts.get((arrival.execution_id, arrival.attempt_no))
        if execution is None or attempt is None or execution["attempt_no"] != arrival.attempt_no:
            continue
        if _was_heard(arrival, attempt, history) and not _counted(execution, attempt):
            told = f"the execution is {execution['status']}, the attempt {attempt['outcome']}"
            yield Violation("I7", _name(arrival), f"a surviving worker heard its 2xx, and {told}")


def no_needless_repeat(history: History, bounds: Bounds) -> Iterator[Violation]:
    """A delivered execution is sent again only where hard faults cut off sends; nobody is buried who lives."""
    hard = [fault for fault in history.fault_log.faults if fault.hard]
    allowed = sum(fault.sends_in_flight for fault in hard)
    repeats = sum(repeats_of(arrivals) for arrivals in history.arrivals_of.values())
    if repeats > allowed:
        yield Violation("I12", "deliveries", f"{repeats} were repeated, {allowed} may be")
    for arrivals in history.arrivals_of.values():
        for number, arrival in enumerate(arrivals[:-1]):
            # Either its sender was hit, or that of an older attempt, which left when this one had been answered.
            senders = [arrival, *(later for later in arrivals[number:] if later.attempt_no < arrival.attempt_no)]
            excused = any(_cut_off(fault, sender, history, bounds) for fault in hard for sender in senders)
            if arrival.is_delivery and not excused:
                yield Violation("I12", _name(arrival), "it was delivered and sent again, and no fault had cut it off")
    for worker in history.database.workers:
        if worker["buried_at"] is not None and worker["id"] not in history.fault_log.killed_workers:
            yield Violation("I12", worker["id"], f"it was taken for dead at {worker['buried_at']}, and no fault hit it")


def repeats_of(arrivals: Sequence[Arrival]) -> int:
    """How many POSTs of one execution followed one that was answered 2xx; `arrivals` in their order.

    Each of them had a cause of its own: what follows a failure is a retry of that failure.
    """
    return sum(arrival.is_delivery for arrival in arrivals[:-1])


def _cut_off(fault: Fault, arrival: Arrival, history: History, bounds: Bounds) -> bool:
    """It hit whoever sent this; or, where no worker was hit, it was on between the request and its answer."""
    if fault.workers:
        attempt = history.attempts.get((arrival.execution_id, arrival.attempt_no))
        return attempt is not None and attempt["worker_id"] in fault.workers
    answered_at = arrival.answered_at or arrival.received_at
    return arrival.received_at <= fault.ended and fault.began <= answered_at + bounds.connecting


def _was_heard(arrival: Arrival, attempt: Row, history: History) -> bool:
    """The answer left while the sender still waited, and the sender lived on."""
    if not arrival.is_delivery or arrival.answered_at is None or arrival.fate != "answered":
        return False
    timeout = timedelta(microseconds=history.jobs[attempt["job_id"]]["timeout_us"])
    in_time = arrival.answered_at < attempt["started_at"] + timeout
    return in_time and attempt["worker_id"] not in history.fault_log.killed_workers


def _counted(execution: Row, attempt: Row) -> bool:
    """It succeeded; or it had ended before, and the attempt's row says that the result came too late."""
    ended_before = execution["status"] in ("failed", "cancelled") and attempt["late"]
    return execution["status"] == "succeeded" or (ended_before and attempt["outcome"] == "succeeded")


def _name(arrival: Arrival) -> str:
    return f"{arrival.execution_id} attempt {arrival.attempt_no}"

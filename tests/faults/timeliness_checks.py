"""I11, I21 and I22: sends are in time, the worst of them too, no retry is too early, and a bad job delays no other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

import attrs

from tests.faults.history import Act, Arrival, Bounds, Fault, History, Once, Row, Violation

QUIET = "no fault"
JITTER = 0.1
"""The part of its delay by which a retry may come earlier or later."""
NO_FAILURES = (None, "succeeded", "lost", "interrupted", "released")
"""Outcomes that no retry follows: what was lost or given back is queued again at once."""
ASKS_FOR_A_PAUSE = (429, 503)
"""Statuses beside which a receiver may name the time until the retry."""

ClassOf = Callable[[Fault], str]


@attrs.frozen
class Retry:
    """What followed a failure: when it was sent, and between which instants it had to be."""

    name: str
    job_id: str
    sent_at: datetime
    earliest: datetime
    due_at: datetime
    latest: datetime


def no_lateness(history: History, bounds: Bounds) -> Iterator[Violation]:
    """First attempts come within the bound of the fault that was on when they were due."""
    most = _allowed(history, bounds)
    for name, lateness in lateness_by_class(history, class_name).items():
        yield from _too_late("I11", name, "first attempts", lateness, bounds.lateness_quantile, most[name])


def no_untimely_send(history: History, bounds: Bounds) -> Iterator[Violation]:
    """No retry comes before its delay is over, nor later than first attempts may; the worst has a bound, too."""
    most = _allowed(history, bounds)
    for retry in retries_of(history):
        if retry.sent_at < retry.earliest - bounds.clocks:
            early = (retry.earliest - retry.sent_at).total_seconds()
            yield Violation("I21", retry.name, f"it is a retry, and was sent {early:.3f} s too early")
    for name, lateness in retry_lateness_by_class(history, class_name).items():
        yield from _too_late("I21", name, "retries", lateness, bounds.lateness_quantile, most[name])
        yield from _too_late("I21", name, "retries", lateness, 1.0, most[name] + bounds.worst)
    for name, lateness in lateness_by_class(history, class_name).items():
        yield from _too_late("I21", name, "first attempts", lateness, 1.0, most[name] + bounds.worst)


def no_delay_of_others(history: History, bounds: Bounds) -> Iterator[Violation]:
    """What some jobs suffer from, no other job does."""
    for name, lateness in lateness_beside(history, class_name).items():
        yield from _too_late("I22", name, "others", lateness, bounds.lateness_quantile, bounds.lateness)


def lateness_beside(history: History, class_of: ClassOf) -> dict[str, list[timedelta]]:
    """How late first attempts of other jobs came, while a fault was on that may delay some jobs only, by its class.

    Those are left out that another fault may have delayed.
    """
    troubles = [fault for fault in history.fault_log.faults if fault.jobs is not None]
    by_class: defaultdict[str, list[timedelta]] = defaultdict(list)
    for arrival, due_at in _first_attempts(history) if troubles else ():
        if _fault_at(due_at, arrival.job_id, history.fault_log.faults) is None:
            on = {class_of(fault) for fault in troubles if fault.began <= due_at <= fault.ended}
            for name in on:
                by_class[name].append(arrival.received_at - due_at)
    return dict(by_class)


def lateness_by_class(history: History, class_of: ClassOf) -> dict[str, list[timedelta]]:
    """How late first attempts came, by the class of the fault that was on when they were due, or `QUIET`."""
    by_class: defaultdict[str, list[timedelta]] = defaultdict(list)
    for arrival, due_at in _first_attempts(history):
        fault = _fault_at(due_at, arrival.job_id, history.fault_log.faults)
        by_class[class_of(fault) if fault else QUIET].append(arrival.received_at - due_at)
    return dict(by_class)


def late_instants(history: History, class_of: ClassOf, name: str, allowed: timedelta) -> list[datetime]:
    """When first attempts of this class were due that came later than is allowed."""
    found = []
    for arrival, due_at in _first_attempts(history):
        if arrival.received_at - due_at > allowed:
            fault = _fault_at(due_at, arrival.job_id, history.fault_log.faults)
            if fault is not None and class_of(fault) == name:
                found.append(due_at)
    return found


def retry_lateness_by_class(history: History, class_of: ClassOf) -> dict[str, list[timedelta]]:
    """The same of retries, counted from the last instant that their delay allows."""
    by_class: defaultdict[str, list[timedelta]] = defaultdict(list)
    for retry in retries_of(history):
        fault = _fault_at(retry.due_at, retry.job_id, history.fault_log.faults)
        by_class[class_of(fault) if fault else QUIET].append(retry.sent_at - retry.latest)
    return dict(by_class)


def retries_of(history: History) -> Iterator[Retry]:
    """Of jobs whose delays nobody edited."""
    arrived = {(arrival.execution_id, arrival.attempt_no): arrival.received_at for arrival in history.arrivals}
    for execution_id, attempts in history.attempts_of.items():
        job = history.jobs.get(attempts[0]["job_id"])
        if job is None or _edited(history.acts_of.get(job["id"], [])):
            continue
        failures = [attempt for attempt in attempts if attempt["outcome"] not in NO_FAILURES and not attempt["late"]]
        for failure, delay in zip(failures, job["delays"], strict=False):  # the last failure may have no delay left
            following = history.attempts.get((execution_id, failure["attempt_no"] + 1))
            if following is not None:
                key = (execution_id, following["attempt_no"])
                yield _retry(failure, timedelta(seconds=delay), key, arrived.get(key, following["started_at"]))


def quantile(values: Sequence[timedelta], part: float) -> timedelta:
    """The smallest value that no more than the rest of them exceeds: the greatest, where there are few."""
    return sorted(values)[ceil(part * len(values)) - 1]


def class_name(fault: Fault) -> str:
    """As the bounds of lateness are told."""
    return f"{fault.kind} of {fault.target}"


def _retry(failure: Row, delay: timedelta, key: tuple[str, int], sent_at: datetime) -> Retry:
    failed_at, told = failure["finished_at"], failure.get("next_attempt_at")
    due_at = failed_at + delay
    if failure["response_status"] in ASKS_FOR_A_PAUSE and told is not None:
        due_at = max(due_at, told)
    return Retry(
        name=f"{key[0]} attempt {key[1]}",
        job_id=failure["job_id"],
        sent_at=sent_at,
        earliest=failed_at + delay * (1 - JITTER),
        due_at=due_at,
        latest=max(due_at, failed_at + delay * (1 + JITTER)),
    )


def _allowed(history: History, bounds: Bounds) -> Mapping[str, timedelta]:
    most = {QUIET: bounds.lateness}
    for fault in history.fault_log.faults:
        most[class_name(fault)] = max(most.get(class_name(fault), timedelta()), fault.lateness or timedelta())
    return most


def _too_late(
    invariant: str, name: str, of: str, lateness: Sequence[timedelta], part: float, most: timedelta
) -> Iterator[Violation]:
    worst = quantile(lateness, part)
    if worst > most:
        told = f"lateness of {of} is {worst.total_seconds():.3f} s at {part:g}"
        yield Violation(invariant, name, f"{told}, allowed are {most.total_seconds():.3f} s")


def _edited(acts: Sequence[Act]) -> bool:
    return any(act.kind == "edit" and act.retries is not None for act in acts)


def _first_attempts(history: History) -> Iterator[tuple[Arrival, datetime]]:
    """Those of scheduled executions, with the instant from which lateness counts."""
    for arrival in history.arrivals:
        execution = history.executions.get(arrival.execution_id)
        if arrival.attempt_no == 1 and execution is not None and execution["trigger"] == "schedule":
            yield arrival, _due_at(execution, history.acts_of.get(execution["job_id"], []))


def _due_at(execution: Row, acts: Sequence[Act]) -> datetime:
    """A single instant may be written when it has just passed: it is due when that was answered."""
    due_at: datetime = execution["scheduled_for"]
    writing = (act for act in acts if act.kind in ("create", "edit") and act.schedule == Once(due_at))
    written = [act.answered_at for act in writing if act.answered_at is not None]
    return max(due_at, written[-1]) if written else due_at


def _fault_at(instant: datetime, job_id: str, faults: Sequence[Fault]) -> Fault | None:
    """The fault with the widest bound that was on, or had just ended, and that may delay this job."""
    on = [
        fault
        for fault in faults
        if fault.lateness
        and (fault.jobs is None or job_id in fault.jobs)
        and fault.began - fault.foretaste <= instant <= fault.ended + fault.aftermath
    ]
    return max(on, key=lambda fault: fault.lateness or timedelta(), default=None)

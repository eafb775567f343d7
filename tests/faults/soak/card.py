"""The card of a soak: what ran, what hit it, and what came of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from tests.faults.delivery_checks import repeats_of
from tests.faults.history import Bounds, Fault, History, Violation
from tests.faults.soak.kinds import DAEMONS, LEADER, REDIS, SCHEDULERS
from tests.faults.timeliness_checks import (
    late_instants,
    lateness_beside,
    lateness_by_class,
    quantile,
    retry_lateness_by_class,
)

SORTS = {name: name.rpartition("-")[0] or name for name in (*DAEMONS, *SCHEDULERS)} | {LEADER: "scheduler"}

MOST_REASONS = 3
"""Other faults that are named beside a row."""
MOST_TOLD = 8
"""Violations of one invariant that the card tells of."""


def card(history: History, violations: Sequence[Violation], bounds: Bounds) -> Iterator[str]:
    """Its lines."""
    executions = history.database.executions
    statuses = Counter(row["status"] for row in executions)
    told = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    yield f"executions       {len(executions)}: {told}"
    outcomes = Counter(str(row["outcome"]) for row in history.database.attempts)
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    yield f"attempts         {len(history.database.attempts)}: {told}"
    yield f"requests         {len(history.arrivals)} reached the receiver"
    hits = [fault for fault in history.fault_log.faults if fault.sends_in_flight]
    yield f"faults           {len(history.fault_log.faults)}, of which {len(hits)} hit sends in flight"
    yield f"lost             {_count(violations, 'I1', 'I5')}"
    yield f"planned twice    {_count(violations, 'I2')}"
    yield f"sent twice       {_count(violations, 'I4')} (execution, attempt)"
    repeats = sum(map(repeats_of, history.arrivals_of.values()))
    yield f"repeats          {repeats} of deliveries, {sum(f.sends_in_flight for f in hits if f.hard)} are allowed"
    yield f"violations       {len(violations)}"
    yield ""
    yield from _faults_by_class(history.fault_log.faults)
    yield ""
    yield from _lateness_by_class(history, bounds)
    yield from _told(violations)


def _told(violations: Sequence[Violation]) -> Iterator[str]:
    told: Counter[str] = Counter()
    for violation in violations:
        told[violation.invariant] += 1
        if told[violation.invariant] <= MOST_TOLD:
            yield f"{violation.invariant} {violation.subject}: {violation.detail}"
    yield from (f"{name} {count} in all" for name, count in told.items() if count > MOST_TOLD)


def _count(violations: Iterable[Violation], *invariants: str) -> int:
    return sum(violation.invariant in invariants for violation in violations)


def class_of(fault: Fault) -> str:
    """Its kind and the sort of what it hit: ``kill -9 worker``, ``cut worker to postgres``."""
    daemon, to, server = fault.target.partition(" to ")
    return f"{fault.kind} {SORTS.get(daemon, daemon)}{to}{server}"


def _faults_by_class(faults: Sequence[Fault]) -> Iterator[str]:
    by_class: defaultdict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        by_class[class_of(fault)].append(fault)
    yield f"{'fault':40} {'times':>6} {'hit':>5} {'sends in flight: sum':>22} {'most':>6}"
    for name, alike in sorted(by_class.items()):
        sends = [fault.sends_in_flight for fault in alike]
        hit = sum(bool(count) for count in sends)
        yield f"{name:40} {len(alike):6} {hit:5} {sum(sends):22} {max(sends):6}"


def _lateness_by_class(history: History, bounds: Bounds) -> Iterator[str]:
    yield f"{'lateness of first attempts, due during':40} {'count':>6} {'p50 s':>8} {'p99 s':>8} {'worst s':>8}"
    for name, late in sorted(lateness_by_class(history, class_of).items()):
        yield _row(name, late, bounds) + _why(name, late, history, bounds)
    yield f"{'lateness of retries, due during':40}"
    for name, late in sorted(retry_lateness_by_class(history, class_of).items()):
        yield _row(name, late, bounds)
    yield f"{'lateness of other first attempts, during':40}"
    for name, late in sorted(lateness_beside(history, class_of).items()):
        is_late = quantile(late, bounds.lateness_quantile) > bounds.lateness
        yield _row(name, late, bounds) + (f"  RED: {_allowed(bounds)} are allowed" if is_late else "")


def _row(name: str, late: Sequence[timedelta], bounds: Bounds) -> str:
    told = (quantile(late, 0.5), quantile(late, bounds.lateness_quantile), max(late))
    return f"{name:40} {len(late):6} {' '.join(map(_seconds, told))}"


def _why(name: str, late: Sequence[timedelta], history: History, bounds: Bounds) -> str:
    """Beside a loss of Redis that seems to cost more than it may: what else was on when that was due."""
    faults = history.fault_log.faults
    of_all = any(class_of(fault) == name and fault.jobs is None for fault in faults)
    if not (of_all and name.endswith(REDIS)) or quantile(late, bounds.lateness_quantile) <= bounds.lateness:
        return ""
    others = Counter(
        class_of(fault)
        for due_at in late_instants(history, class_of, name, bounds.lateness)
        for fault in faults
        if class_of(fault) != name and fault.began - fault.foretaste <= due_at <= fault.ended + fault.aftermath
    )
    told = ", ".join(f"{other} ({count})" for other, count in others.most_common(MOST_REASONS))
    return f"  beside it: {told}" if told else f"  RED: {_allowed(bounds)} are allowed, and nothing else was on"


def _allowed(bounds: Bounds) -> str:
    return f"{bounds.lateness.total_seconds():g} s"


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():8.3f}"

"""What happened, as four records tell it: what users asked for, the database, the receiver's log, the fault log.

Instants are aware UTC. A row is a plain dict with the columns of its table, instants as datetimes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import attrs

Row = Mapping[str, Any]


@attrs.frozen
class Cron:
    expression: str
    timezone: str = "UTC"


@attrs.frozen
class Once:
    run_at: datetime


Schedule = Cron | Once


@attrs.frozen(kw_only=True)
class Act:
    """Something that a user asked for, or that a receiver brought about.

    `kind` is one of create, edit, pause, resume, delete, run, replay, cancel; `gone` is a receiver's 410 that was
    accepted, `ended` another result that made the job inactive (of one with a `schedule`: if the job still has that);
    `rewind` says that the job's planning columns were set back behind cronhook's back. Without `answered_at` nobody
    knows whether it took place. Creations and edits have a `schedule` and, where they set it, the number of `retries`;
    run, replay and cancel an `execution_id`.

    Who knows more than a user may say it: `unplanned_from` is the first instant that had not been planned when the act
    came (default: a little before it), `planned_through` the last one that planning had dealt with.
    """

    kind: str
    job_id: str
    asked_at: datetime
    answered_at: datetime | None
    schedule: Schedule | None = None
    retries: int | None = None
    execution_id: str | None = None
    unplanned_from: datetime | None = None
    planned_through: datetime | None = None


@attrs.frozen(kw_only=True)
class Database:
    """The rows. `transitions` are all changes of executions in their order, where somebody wrote them down.

    These have `execution_id`, `old_status`, `new_status`, `old_attempt_no`, `new_attempt_no` (None: no row), and how
    their job was: `job_status`, `job_deleted_at`.
    """

    jobs: Sequence[Row] = ()
    executions: Sequence[Row] = ()
    attempts: Sequence[Row] = ()
    workers: Sequence[Row] = ()
    transitions: Sequence[Row] = ()


@attrs.frozen(kw_only=True)
class Arrival:
    """One POST at the receiver. `received_at` is when its first byte came, `answered_at` when its answer began.

    `fate` is what became of the connection: answered, closed (by the sender, before the answer), reset (by the
    receiver), silent (no answer was meant to come), unknown. `timestamp` is what the signature covers.
    """

    execution_id: str
    attempt_no: int
    job_id: str
    scheduled_for: datetime
    received_at: datetime
    status: int | None = None
    answered_at: datetime | None = None
    fate: str = "answered"
    timestamp: int = 0

    @property
    def is_delivery(self) -> bool:
        """The receiver has done what it was asked for, whether or not anybody heard."""
        return self.status is not None and 200 <= self.status < 300


@attrs.frozen(kw_only=True)
class Fault:
    """Something that was broken on purpose, from `began` to `ended`.

    `hard` faults may repeat deliveries, at most the `sends_in_flight` when they hit (results not yet written included);
    outages of the database, losses of Redis and graceful stops are not hard. `workers` are the ids of those that died.
    `orderly`: it stopped these workers in order, which is no loss of what they cut off.
    `lateness` bounds what becomes due until `aftermath` after the end, and what became due so shortly before it began
    (`foretaste`) that it may not have left. With `jobs` this goes for these jobs only; it must delay no other.
    """

    kind: str
    target: str
    began: datetime
    ended: datetime
    hard: bool = False
    sends_in_flight: int = 0
    workers: frozenset[str] = frozenset()
    orderly: bool = False
    lateness: timedelta | None = None
    aftermath: timedelta = timedelta(seconds=5)
    foretaste: timedelta = timedelta()
    jobs: frozenset[str] | None = None


@attrs.frozen
class Text:
    """Something that was written: a log, an error's body, a page of metrics. `source` says where."""

    source: str
    content: str


@attrs.frozen(kw_only=True)
class Answer:
    """What the API answered; `ids` are the ids in its body, `workspace_id` whose key asked."""

    at: datetime
    method: str
    path: str
    status: int
    workspace_id: str | None = None
    ids: frozenset[str] = frozenset()
    retry_after: bool = False


@attrs.frozen(kw_only=True)
class Probe:
    """Whether a process worked as it should, when it was looked at."""

    at: datetime
    process: str
    pid: int
    healthy: bool


@attrs.frozen(kw_only=True)
class Memory:
    at: datetime
    process: str
    resident_bytes: int


@attrs.frozen(kw_only=True)
class FaultLog:
    """What the test did and saw. `trust_ended`: when workers had to stop starting sends.

    Where it says nothing, those that were buried had to so long after their last beat (`Bounds.trust`).
    """

    faults: Sequence[Fault] = ()
    trust_ended: Mapping[str, datetime] = attrs.field(factory=dict)
    texts: Sequence[Text] = ()
    answers: Sequence[Answer] = ()
    probes: Sequence[Probe] = ()
    memory: Sequence[Memory] = ()
    planted_secrets: Sequence[str] = ()

    @property
    def killed_workers(self) -> frozenset[str]:
        return frozenset().union(*(fault.workers for fault in self.faults))


@attrs.frozen(kw_only=True)
class History:
    """Acts and arrivals are in their order. The rows were read at `taken_at`.

    `unplanned` says, by job id, from which instant on planning had not yet come by; where it says nothing, everything
    is planned that was due `Bounds.planning` before the rows were read.
    """

    acts: Sequence[Act] = ()
    database: Database = attrs.field(factory=Database)
    arrivals: Sequence[Arrival] = ()
    fault_log: FaultLog = attrs.field(factory=FaultLog)
    taken_at: datetime
    unplanned: Mapping[str, datetime] = attrs.field(factory=dict)

    @cached_property
    def jobs(self) -> Mapping[str, Row]:
        return {row["id"]: row for row in self.database.jobs}

    @cached_property
    def executions(self) -> Mapping[str, Row]:
        return {row["id"]: row for row in self.database.executions}

    @cached_property
    def attempts(self) -> Mapping[tuple[str, int], Row]:
        return {(row["execution_id"], row["attempt_no"]): row for row in self.database.attempts}

    @cached_property
    def attempts_of(self) -> Mapping[str, list[Row]]:
        """By execution, in their order."""
        return _grouped(sorted(self.database.attempts, key=lambda row: row["attempt_no"]), "execution_id")

    @cached_property
    def scheduled_of(self) -> Mapping[str, list[Row]]:
        """The executions that schedules made, by job."""
        return _grouped((row for row in self.database.executions if row["trigger"] == "schedule"), "job_id")

    @cached_property
    def arrivals_of(self) -> Mapping[str, list[Arrival]]:
        by_execution: defaultdict[str, list[Arrival]] = defaultdict(list)
        for arrival in sorted(self.arrivals, key=lambda arrival: arrival.received_at):
            by_execution[arrival.execution_id].append(arrival)
        return by_execution

    @cached_property
    def acts_of(self) -> Mapping[str, list[Act]]:
        by_job: defaultdict[str, list[Act]] = defaultdict(list)
        for act in self.acts:
            by_job[act.job_id].append(act)
        return by_job


@attrs.frozen(kw_only=True)
class Bounds:
    """How much is allowed.

    `settled`: everything that was under way has ended, so that what is missing is missing for good. `lateness`
    bounds what no fault's own bound covers, for all but the worst hundredth (`lateness_quantile`) of each class;
    that may be later than its bound by `worst`. `held`: for how long beyond its deadline, and beside the time of
    faults, an attempt may have been under way before it ended.
    """

    settled: bool = True
    clocks: timedelta = timedelta(milliseconds=50)
    planning: timedelta = timedelta(seconds=4)
    running: timedelta = timedelta(seconds=12)
    held: timedelta | None = None
    overdue: timedelta = timedelta(seconds=5)
    connecting: timedelta = timedelta(seconds=1)
    trust: timedelta = timedelta(seconds=7)
    lateness: timedelta = timedelta(seconds=1.5)
    lateness_quantile: float = 0.99
    worst: timedelta = timedelta(seconds=15)
    recovery: timedelta = timedelta(seconds=5)
    memory_bytes: int | None = None


@attrs.frozen(order=True)
class Violation:
    """`invariant` is its number in the list of invariants, as in ``I4``; `subject` what it is about."""

    invariant: str
    subject: str
    detail: str


def _grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups

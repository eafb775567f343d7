"""What the model knows of its world beside the rows, and the oracle's word on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from attrs import evolve

from tests.faults.history import Arrival, Bounds, Database, Fault, FaultLog, History, Row, Violation
from tests.faults.oracle import CHECKS, judge
from tests.model.observed import Observer
from tests.model.virtual_time import WorldTime

AFTERWARDS = ("I5", "I7")
"""What can be judged only when everything has ended."""
ELSEWHERE = ("I11", "I14", "I15", "I16", "I18", "I21", "I22")
"""Lateness, memory, texts and health: what the model does not have."""
STEPWISE = tuple(name for name in CHECKS if name not in (*AFTERWARDS, *ELSEWHERE))
UNDER_WAY = Bounds(settled=False, clocks=timedelta(days=100), planning=timedelta(), connecting=timedelta(days=100))
"""Nodes disagree about the time, and nothing has to be soon."""
SETTLED = evolve(UNDER_WAY, settled=True, running=timedelta(), overdue=timedelta())


class Broken(AssertionError):
    """The world is in a state that it must not get into."""


class Ledger:
    """Arrivals, by job, and excuses: who may be taken for dead, and how many deliveries may come twice."""

    def __init__(self, observer: Observer, time: WorldTime) -> None:
        self._observer = observer
        self._time = time
        self._arrivals: dict[str, list[Arrival]] = {}
        self._noticed: str | None = None
        self.excused: set[str] = set()
        self.repeats = 0
        self.steps = 0

    def notice(self, violation: str) -> None:
        """Something is wrong, in a place where a node would take an exception for the failure of its request."""
        self._noticed = self._noticed or violation

    def arrived(self, headers: Mapping[str, str]) -> None:
        """A POST came to the receiver."""
        arrival = Arrival(
            execution_id=headers["webhook-id"],
            attempt_no=int(headers["cronhook-attempt"]),
            job_id=headers["cronhook-job-id"],
            scheduled_for=datetime.fromisoformat(headers["cronhook-scheduled-for"]),
            received_at=self._time.true_now() + timedelta(microseconds=self.steps),
            fate="closed",
        )
        if (arrival.execution_id, arrival.attempt_no) not in self._observer.attempts[arrival.job_id]:
            self.notice(f"I3 {arrival.execution_id} attempt {arrival.attempt_no}: it was sent before its row was there")
        self._arrivals.setdefault(arrival.job_id, []).append(arrival)
        self._observer.touched.add(arrival.job_id)

    def answered(self, execution_id: str, attempt_no: int, status: int | None, *, heard: bool) -> None:
        """The receiver answered that POST (None: it never will); ``heard``: the sender learned of it."""
        for arrivals in self._arrivals.values():
            for index, arrival in enumerate(arrivals):
                if (arrival.execution_id, arrival.attempt_no) == (execution_id, attempt_no):
                    at = None if status is None else arrival.received_at
                    fate = "answered" if heard else "closed"
                    arrivals[index] = evolve(arrival, status=status, answered_at=at, fate=fate)

    def judge_touched(self) -> None:
        """The oracle's word on every job that changed since it was last asked."""
        self.steps += 1
        if self._noticed:
            raise Broken(self._noticed)
        if self._observer.touched:
            touched, self._observer.touched = self._observer.touched, set()
            transitions, self._observer.transitions = self._observer.transitions, []
            refuse(judge(self._history(touched, transitions), UNDER_WAY, only=STEPWISE))

    def judge_all(self) -> None:
        """The oracle's word on everything, when nothing is under way any more."""
        self.judge_touched()
        refuse(judge(self._history(self._observer.jobs, ()), SETTLED, only=(*STEPWISE, *AFTERWARDS)))

    def _history(self, jobs: Collection[str], transitions: Sequence[Row]) -> History:
        """Of these jobs, whose every row is here: no invariant looks from one job to another."""
        observer, now = self._observer, self._time.true_now() + self._time.stepped
        return History(
            acts=[act for job_id in jobs for act in observer.acts[job_id]],
            database=Database(
                jobs=[observer.jobs[job_id] for job_id in jobs],
                executions=[row for job_id in jobs for row in observer.executions[job_id].values()],
                attempts=[row for job_id in jobs for row in observer.attempts[job_id].values()],
                transitions=transitions,
            ),
            arrivals=[arrival for job_id in jobs for arrival in self._arrivals.get(job_id, ())],
            fault_log=FaultLog(faults=self._faults()),
            taken_at=now,
            unplanned={job_id: observer.jobs[job_id]["next_run"] or now for job_id in jobs},
        )

    def _faults(self) -> list[Fault]:
        """Those of workers, and the sends that were cut off: these are counted one by one, whoever made them."""
        always = Fault(kind="death", target="workers", began=self._time.start, ended=datetime.max.replace(tzinfo=UTC))
        return [
            evolve(always, workers=frozenset(self.excused)),
            evolve(always, hard=True, sends_in_flight=self.repeats),
        ]


def refuse(violations: Iterable[Violation]) -> None:
    told = [f"{violation.invariant} {violation.subject}: {violation.detail}" for violation in violations]
    if told:
        raise Broken("\n".join(told))

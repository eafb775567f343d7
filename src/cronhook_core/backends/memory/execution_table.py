from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from cronhook_core.backends.memory.instant_index import InstantIndex
from cronhook_core.domain.execution import Execution, ExecutionStatus, Trigger


class ExecutionTable:
    """All executions, found by id, by job, by scheduled instant, by worker, and by when they begin or ended."""

    def __init__(self) -> None:
        self._executions: dict[str, Execution] = {}
        self._ids_of: defaultdict[str, list[str]] = defaultdict(list)
        self._scheduled: set[tuple[str, datetime]] = set()
        self._queued = InstantIndex()
        self._ended = InstantIndex()
        self._queued_of: defaultdict[str, dict[str, None]] = defaultdict(dict)  # the inner ones are ordered sets
        self._queued_by_users: Counter[str] = Counter()
        self._running: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def get(self, execution_id: str) -> Execution | None:
        return self._executions.get(execution_id)

    def __getitem__(self, execution_id: str) -> Execution:
        return self._executions[execution_id]

    def put(self, execution: Execution) -> None:
        before = self._executions.get(execution.id)
        if before is None:
            insort(self._ids_of[execution.job_id], execution.id)
            if execution.trigger is Trigger.SCHEDULE:
                self._scheduled.add((execution.job_id, execution.scheduled_for))
        else:
            self._leave_state(before)
        self._executions[execution.id] = execution
        self._enter_state(execution)

    def remove(self, execution_id: str) -> None:
        execution = self._executions.pop(execution_id)
        self._leave_state(execution)
        self._scheduled.discard((execution.job_id, execution.scheduled_for))
        ids = self._ids_of[execution.job_id]
        del ids[bisect_left(ids, execution_id)]

    def is_scheduled(self, job_id: str, scheduled_for: datetime) -> bool:
        return (job_id, scheduled_for) in self._scheduled

    def newest_first(self, job_id: str, before_id: str | None = None) -> Iterator[Execution]:
        """The job's executions by id, descending, from the one after ``before_id`` on."""
        ids = self._ids_of.get(job_id, [])
        end = len(ids) if before_id is None else bisect_left(ids, before_id)
        return (self._executions[ids[index]] for index in range(end - 1, -1, -1))

    def queued(self, after: datetime | None = None) -> Iterator[Execution]:
        """What is queued and available later than ``after``, by ``available_at``, oldest first."""
        return (self._executions[identifier] for _, identifier in self._queued.after(after))

    def queued_of(self, job_id: str) -> list[Execution]:
        return [self._executions[identifier] for identifier in self._queued_of.get(job_id, ())]

    def queued_by_users(self, owner_id: str) -> int:
        """How many executions of this job or workspace have not ended that runs and replays queued."""
        return self._queued_by_users[owner_id]

    def ended(self) -> Iterator[Execution]:
        """What is final, the first to end first."""
        return (self._executions[identifier] for _, identifier in self._ended.after())

    def running(self, worker_id: str) -> list[Execution]:
        return [self._executions[identifier] for identifier in self._running.get(worker_id, ())]

    def workers(self) -> list[str]:
        """The workers under whose names something is running."""
        return list(self._running)

    def _enter_state(self, execution: Execution) -> None:
        self._count(execution, 1)
        if execution.status is ExecutionStatus.QUEUED:
            self._queued.add(execution.available_at, execution.id)
            self._queued_of[execution.job_id][execution.id] = None
        elif execution.status is ExecutionStatus.RUNNING and execution.worker_id:
            self._running[execution.worker_id][execution.id] = None
        elif execution.finished_at:
            self._ended.add(execution.finished_at, execution.id)

    def _leave_state(self, execution: Execution) -> None:
        self._count(execution, -1)
        if execution.status is ExecutionStatus.QUEUED:
            self._queued.remove(execution.available_at, execution.id)
            _remove(self._queued_of, execution.job_id, execution.id)
        elif execution.status is ExecutionStatus.RUNNING and execution.worker_id:
            _remove(self._running, execution.worker_id, execution.id)
        elif execution.finished_at:
            self._ended.remove(execution.finished_at, execution.id)

    def _count(self, execution: Execution, change: int) -> None:
        if execution.trigger is not Trigger.SCHEDULE and not execution.status.is_final:
            for owner_id in (execution.job_id, execution.workspace_id):
                self._queued_by_users[owner_id] += change
                if not self._queued_by_users[owner_id]:
                    del self._queued_by_users[owner_id]


def _remove(sets: dict[str, dict[str, None]], name: str, identifier: str) -> None:
    del sets[name][identifier]
    if not sets[name]:
        del sets[name]

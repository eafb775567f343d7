from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from cronhook_core.backends.memory.instant_index import InstantIndex
from cronhook_core.domain.job import Job, JobStatus


class JobTable:
    """All jobs, found by id, by workspace, and by when they are due."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._ids_of: defaultdict[str, list[str]] = defaultdict(list)
        self._counted: Counter[str] = Counter()
        self._bytes_of: dict[str, int] = {}
        self._bytes: Counter[str] = Counter()
        self._due = InstantIndex()

    def get(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def __getitem__(self, job_id: str) -> Job:
        return self._jobs[job_id]

    def put(self, job: Job) -> None:
        before = self._jobs.get(job.id)
        if before is None:
            insort(self._ids_of[job.workspace_id], job.id)
        else:
            self._leave(before)
        if before is None or before.definition is not job.definition or before.deleted_at != job.deleted_at:
            self._bytes[job.workspace_id] += job.counted_bytes - self._bytes_of.get(job.id, 0)
            self._bytes_of[job.id] = job.counted_bytes
        self._jobs[job.id] = job
        self._counted[job.workspace_id] += job.counts_against_quota
        if (due_at := _due_at(job)) is not None:
            self._due.add(due_at, job.id)

    def remove(self, job_id: str) -> None:
        job = self._jobs.pop(job_id)
        self._leave(job)
        self._bytes[job.workspace_id] -= self._bytes_of.pop(job_id)
        ids = self._ids_of[job.workspace_id]
        del ids[bisect_left(ids, job_id)]

    def inactive(self) -> Iterator[Job]:
        """All jobs that are over; the table must not change meanwhile."""
        return (job for job in self._jobs.values() if job.status is JobStatus.INACTIVE)

    def counted(self, workspace_id: str) -> int:
        """How many jobs of the workspace count against its quota."""
        return self._counted[workspace_id]

    def stored_bytes(self, workspace_id: str) -> int:
        """How many stored bytes of the workspace count against its quota."""
        return self._bytes[workspace_id]

    def newest_first(self, workspace_id: str, before_id: str | None) -> Iterator[Job]:
        """The workspace's jobs by id, descending, from the one after ``before_id`` on."""
        ids = self._ids_of.get(workspace_id, [])
        end = len(ids) if before_id is None else bisect_left(ids, before_id)
        return (self._jobs[ids[index]] for index in range(end - 1, -1, -1))

    def due(self, after: datetime | None = None) -> Iterator[tuple[datetime, Job]]:
        """Active jobs that have a ``next_run`` (later than ``after``), by it and then by id, oldest first."""
        return ((instant, self._jobs[job_id]) for instant, job_id in self._due.after(after))

    def _leave(self, job: Job) -> None:
        self._counted[job.workspace_id] -= job.counts_against_quota
        if (due_at := _due_at(job)) is not None:
            self._due.remove(due_at, job.id)


def _due_at(job: Job) -> datetime | None:
    return job.next_run if job.status is JobStatus.ACTIVE else None

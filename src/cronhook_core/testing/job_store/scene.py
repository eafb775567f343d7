"""What the tests of job stores set up and look at, in words of the domain."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest

from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import SUSPECT_LOSSES, Attempt, Execution, Trigger
from cronhook_core.domain.job import Job
from cronhook_core.domain.job_changes import deleted, paused, resumed
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.domain.workspace import Workspace
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.job_catalog import CancelQueued
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, make_execution, make_id, make_job, make_plan, make_workspace

OpenStore = Callable[[], Awaitable[JobStore]]
"""Opens one more store on the database of the test, as another process would; the fixture closes it."""
HoldJob = Callable[[Job], AbstractAsyncContextManager[object]]
"""Holds a job for as long as the context lasts, as a transaction of somebody else that changes it would.

A store that locks no job by itself has nothing to hold.
"""

LATER = NOW + timedelta(hours=1)
"""When whatever was made at NOW has become available."""
FIRST = NOW + MINUTE
"""When a job is due first that was made at NOW and is due every minute."""
PAUSING = CancelQueued(reason="paused", manual_too=False)
DELETING = CancelQueued(reason="deleted", manual_too=True)


class Scene:
    """One workspace with what a test puts into it."""

    def __init__(self, store: JobStore, accounts: AccountStore) -> None:
        self.store = store
        self.accounts = accounts
        self._workspace: Workspace | None = None

    async def workspace(self) -> Workspace:
        """The test's own workspace."""
        if self._workspace is None:
            self._workspace = await self.another_workspace()
        return self._workspace

    async def another_workspace(self, **changes: Any) -> Workspace:
        return await self.accounts.ensure_workspace(make_workspace(**changes))

    async def job(self, **changes: Any) -> Job:
        """A stored job of the test's workspace, by default active and due every minute from NOW on."""
        job = make_job(changes.pop("workspace_id", None) or (await self.workspace()).id, **changes)
        await self.store.create_job(job, max_jobs=None, now=NOW)
        return job

    async def jobs(self, count: int, **changes: Any) -> list[Job]:
        return [await self.job(**changes) for _ in range(count)]

    async def due_once(self, at: datetime = NOW) -> tuple[Job, Execution]:
        """A one-time job for this instant, and its one scheduled execution, which is queued."""
        job = await self.job(schedule=OneTimeSchedule(at), created_at=at - timedelta(minutes=1))
        return job, await self.planned(job)

    async def planned(self, job: Job) -> Execution:
        """The queued execution of the job's ``next_run``."""
        plan = make_plan(job)
        assert plan.execution is not None
        assert list(await self.store.plan([plan], plan.expected_next_run)) == [plan.execution.id]
        return plan.execution

    async def queued(self, job: Job, at: datetime = NOW, **changes: Any) -> Execution:
        """A queued execution made by hand (or, with another ``trigger``, as if it were)."""
        execution = make_execution(job, at=at, **changes)
        await self.store.add_execution(execution, now=NOW)
        return execution

    async def left_queued_by_a_pause(self, trigger: Trigger) -> Execution:
        """An execution that the pause of its job did not cancel, as one that slipped in beside it."""
        job = await self.job()
        execution = await (self.planned(job) if trigger is Trigger.SCHEDULE else self.queued(job, trigger=trigger))
        await self.change(await self.job_now(job), paused(await self.job_now(job), NOW), cancel=None)
        return execution

    async def lost(self, job: Job, times: int, at: datetime = NOW) -> Execution:
        """A queued execution that was lost so often, and is available since ``at``."""
        execution = await self.queued(job, at=at)
        for _ in range(times):
            claim = await self.claim(execution, now=at)
            await self.store.lose([claim.ref], at)
        return await self.now_of(execution)

    async def suspect(self, job: Job) -> Execution:
        """A queued execution that is claimed alone: one more loss would fail it."""
        return await self.lost(job, SUSPECT_LOSSES)

    async def worker(self) -> str:
        worker_id = make_id("wrk")
        await self.store.register_worker(worker_id, NOW)
        return worker_id

    async def claim(self, execution: Execution, *, worker_id: str | None = None, now: datetime = LATER) -> Claim:
        """The claim of a living worker on this execution, which can be claimed."""
        [claim] = await self.store.claim([execution.id], worker_id=worker_id or await self.worker(), now=now)
        return claim

    async def running(self, job: Job, trigger: Trigger = Trigger.MANUAL, *, worker_id: str | None = None) -> Claim:
        """The claim on a new execution of this job; a job that is scheduled must be due next at its ``next_run``."""
        execution = await (self.planned(job) if trigger is Trigger.SCHEDULE else self.queued(job, trigger=trigger))
        return await self.claim(execution, worker_id=worker_id)

    async def job_now(self, job: Job | Claim | Execution) -> Job:
        """The job as it is stored; it is not deleted."""
        stored = await self.store.get_job(job.workspace_id, job.id if isinstance(job, Job) else job.job_id)
        assert stored is not None
        return stored

    async def now_of(self, execution: Execution | Claim) -> Execution:
        """The execution as it is stored."""
        identifier = execution.id if isinstance(execution, Execution) else execution.execution_id
        stored = await self.store.get_execution(execution.workspace_id, identifier)
        assert stored is not None
        return stored

    async def attempts(self, execution: Execution | Claim) -> list[Attempt]:
        identifier = execution.id if isinstance(execution, Execution) else execution.execution_id
        return list(await self.store.attempts_of(execution.workspace_id, identifier))

    async def change(self, job: Job, changed: Job, cancel: CancelQueued | None = None) -> Job:
        """The job as it is stored, replaced by ``changed``."""
        assert await self.store.change_job(changed, expected=job, cancel=cancel, max_jobs=None, now=LATER)
        return changed

    async def pause(self, job: Job) -> Job:
        stored = await self.job_now(job)
        return await self.change(stored, paused(stored, LATER), PAUSING)

    async def resume(self, job: Job) -> Job:
        stored = await self.job_now(job)
        return await self.change(stored, resumed(stored, LATER))

    async def delete(self, job: Job) -> Job:
        stored = await self.job_now(job)
        return await self.change(stored, deleted(stored, LATER), DELETING)

    async def bury(self, worker_id: str) -> None:
        beats = {beat.worker_id: beat.beat for beat in await self.store.worker_beats()}
        assert await self.store.bury_worker(worker_id, beats[worker_id], LATER)


class JobStoreSuite:
    """What the parts of the contract have in common: they look at the store through a `Scene`."""

    @pytest.fixture
    def scene(self, store: JobStore, accounts: AccountStore) -> Scene:
        return Scene(store, accounts)

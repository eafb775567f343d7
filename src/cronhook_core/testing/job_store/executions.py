"""Queueing executions by hand, and cancelling them."""

from __future__ import annotations

import pytest
from attrs import evolve

from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.domain.job_changes import paused
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.errors import NotFound
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, make_execution, make_id, make_job, retry, succeeded
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene


class AddingExecutions(JobStoreSuite):
    @pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.REPLAY])
    @pytest.mark.parametrize("status", JobStatus)
    async def test_any_job_that_is_kept_can_be_run(self, scene: Scene, status: JobStatus, trigger: Trigger) -> None:
        reason = InactiveReason.EXHAUSTED if status is JobStatus.INACTIVE else None
        job = await scene.job(status=status, inactive_reason=reason)
        execution = await scene.queued(job, trigger=trigger)
        assert await scene.now_of(execution) == execution
        assert (await scene.claim(execution)).trigger is trigger

    async def test_it_changes_nothing_of_the_schedule(self, scene: Scene) -> None:
        job = await scene.job()
        execution = await scene.queued(job)
        stored = await scene.job_now(job)
        assert evolve(stored, last_run=None, last_run_status=None) == job
        await scene.store.finish([succeeded(await scene.claim(execution))], LATER)
        stored = await scene.job_now(job)
        assert evolve(stored, last_run=None, last_run_status=None) == job

    async def test_a_deleted_absent_or_foreign_job_is_not_found(self, scene: Scene) -> None:
        gone = await scene.delete(await scene.job())
        absent = make_job(gone.workspace_id)
        foreign = evolve(await scene.job(), workspace_id=(await scene.another_workspace()).id)
        for job in (gone, absent, foreign):
            execution = make_execution(job)
            with pytest.raises(NotFound):
                await scene.store.add_execution(execution, now=NOW)
            assert await scene.store.get_execution(job.workspace_id, execution.id) is None

    async def test_repeating_it_is_a_no_op(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        await scene.claim(execution)
        running = await scene.now_of(execution)
        await scene.store.add_execution(execution, now=LATER)
        assert await scene.now_of(execution) == running
        assert len(await scene.store.list_executions(running.workspace_id, running.job_id, limit=10)) == 1

    async def test_any_number_may_be_made_for_one_instant(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.planned(job)
        assert job.next_run is not None
        for trigger in (Trigger.MANUAL, Trigger.MANUAL, Trigger.REPLAY):
            await scene.queued(job, at=job.next_run, trigger=trigger)
        assert len(await scene.store.list_executions(job.workspace_id, job.id, limit=10)) == 4


class CancellingExecutions(JobStoreSuite):
    async def test_a_queued_one_is_cancelled(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        cancelled = await scene.store.cancel_execution(execution.workspace_id, execution.id, now=LATER)
        assert cancelled == evolve(execution, status=ExecutionStatus.CANCELLED, reason="cancelled", finished_at=LATER)
        assert await scene.now_of(execution) == cancelled
        assert list(await scene.store.claim([execution.id], worker_id=await scene.worker(), now=LATER)) == []

    async def test_a_retry_that_waits_is_cancelled(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.finish([retry(claim, LATER)], LATER)
        cancelled = await scene.store.cancel_execution(claim.workspace_id, claim.execution_id, now=LATER)
        assert cancelled is not None
        assert (cancelled.status, cancelled.attempt_no, cancelled.retries_used) == (ExecutionStatus.CANCELLED, 1, 1)

    async def test_a_running_one_is_not(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        before = await scene.now_of(claim)
        assert await scene.store.cancel_execution(claim.workspace_id, claim.execution_id, now=LATER) is None
        assert await scene.now_of(claim) == before

    async def test_a_final_one_is_not(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.finish([succeeded(claim)], LATER)
        before = await scene.now_of(claim)
        assert await scene.store.cancel_execution(claim.workspace_id, claim.execution_id, now=LATER) is None
        assert await scene.now_of(claim) == before

    async def test_repeating_it_finds_it_final(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        cancelled = await scene.store.cancel_execution(execution.workspace_id, execution.id, now=NOW)
        assert await scene.store.cancel_execution(execution.workspace_id, execution.id, now=LATER) is None
        assert await scene.now_of(execution) == cancelled

    async def test_an_unknown_or_foreign_one_is_not(self, scene: Scene, store: JobStore) -> None:
        execution = await scene.queued(await scene.job())
        foreign = (await scene.another_workspace()).id
        assert await store.cancel_execution(foreign, execution.id, now=LATER) is None
        assert await store.cancel_execution(execution.workspace_id, make_id("exe"), now=LATER) is None
        assert await scene.now_of(execution) == execution

    async def test_a_one_time_job_ends_with_its_scheduled_execution(self, scene: Scene) -> None:
        job, execution = await scene.due_once()
        before = await scene.job_now(job)
        await scene.store.cancel_execution(job.workspace_id, execution.id, now=LATER)
        after = await scene.job_now(job)
        assert (after.status, after.inactive_reason) == (JobStatus.INACTIVE, InactiveReason.CANCELLED)
        assert (after.next_run, after.updated_at, after.revision) == (None, LATER, before.revision + 1)
        assert await scene.store.count_jobs(job.workspace_id) == 0

    async def test_a_one_time_job_with_a_new_instant_goes_on(self, scene: Scene) -> None:
        job, execution = await scene.due_once()
        stored = await scene.job_now(job)
        again = evolve(stored.definition, schedule=OneTimeSchedule(LATER))
        moved = await scene.change(stored, stored.changed(NOW, definition=again, next_run=LATER))
        await scene.store.cancel_execution(job.workspace_id, execution.id, now=NOW + MINUTE)
        stored = await scene.job_now(job)
        assert (stored.status, stored.next_run, stored.revision) == (JobStatus.ACTIVE, LATER, moved.revision)

    async def test_a_paused_one_time_job_stays_paused(self, scene: Scene) -> None:
        job, execution = await scene.due_once()
        stored = await scene.job_now(job)
        await scene.change(stored, paused(stored, LATER), cancel=None)
        assert await scene.store.cancel_execution(job.workspace_id, execution.id, now=LATER) is not None
        stored = await scene.job_now(job)
        assert (stored.status, stored.inactive_reason) == (JobStatus.PAUSED, None)

    async def test_a_one_time_job_does_not_end_with_a_run_by_hand(self, scene: Scene) -> None:
        job, _ = await scene.due_once()
        execution = await scene.queued(job)
        await scene.store.cancel_execution(job.workspace_id, execution.id, now=LATER)
        assert (await scene.job_now(job)).status is JobStatus.ACTIVE

    async def test_a_cron_job_goes_on(self, scene: Scene) -> None:
        execution = await scene.planned(await scene.job())
        before = await scene.job_now(execution)
        await scene.store.cancel_execution(execution.workspace_id, execution.id, now=LATER)
        after = await scene.job_now(execution)
        assert evolve(after, last_run_status=before.last_run_status) == before

"""What the end of an execution does to its job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from attrs import evolve

from cronhook_core.domain.claim import AttemptReport, Claim
from cronhook_core.domain.execution import MAX_LOSSES, Execution, ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.testing.builders import MINUTE, NOW, gave_up, gone, make_definition, make_plan, retry, succeeded
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

QUEUED, CANCELLED = ExecutionStatus.QUEUED, ExecutionStatus.CANCELLED
WRITTEN = LATER + timedelta(seconds=1)

Report = Callable[[Claim], AttemptReport]


class JobsThatAreGone(JobStoreSuite):
    async def test_the_job_becomes_inactive(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job)
        [verdict] = await scene.store.finish([gone(claim, LATER)], WRITTEN)
        assert (verdict.accepted, verdict.status, verdict.reason) == (True, ExecutionStatus.FAILED, "gone")
        assert await scene.job_now(job) == evolve(
            job,
            status=JobStatus.INACTIVE,
            inactive_reason=InactiveReason.GONE,
            next_run=None,
            revision=2,
            updated_at=WRITTEN,
            last_run=NOW,
            last_run_status=ExecutionStatus.FAILED,
        )
        assert list(await scene.store.due_jobs(LATER, 10)) == []
        assert await scene.store.count_jobs(job.workspace_id) == 0

    async def test_its_other_queued_executions_are_cancelled(self, scene: Scene) -> None:
        job, bystander = await scene.jobs(2)
        claim, other = await scene.running(job), await scene.running(job)
        queued = [await scene.planned(job), await scene.queued(job), await scene.queued(job, at=LATER + MINUTE)]
        untouched = await scene.queued(bystander)
        await scene.store.finish([gone(claim)], WRITTEN)
        for execution in queued:
            stored = await scene.now_of(execution)
            assert (stored.status, stored.reason, stored.finished_at) == (CANCELLED, "gone", WRITTEN)
        assert (await scene.now_of(other)).status is ExecutionStatus.RUNNING
        assert await scene.now_of(untouched) == untouched
        assert (await scene.job_now(bystander)).status is JobStatus.ACTIVE

    @pytest.mark.parametrize("trigger", Trigger)
    async def test_no_retry_follows(self, scene: Scene, trigger: Trigger) -> None:
        job = await scene.job()
        other = await scene.running(job, trigger)
        await scene.store.finish([gone(await scene.running(job))], WRITTEN)
        [verdict] = await scene.store.finish([retry(other)], WRITTEN)
        assert (verdict.accepted, verdict.status, verdict.reason) == (True, CANCELLED, "gone")

    @pytest.mark.parametrize("gone_first", [True, False])
    async def test_no_retry_of_the_same_batch_follows(self, scene: Scene, gone_first: bool) -> None:
        job = await scene.job()
        going, other = await scene.running(job), await scene.running(job)
        reports = [gone(going), retry(other)] if gone_first else [retry(other), gone(going)]
        verdicts = {v.execution_id: v for v in await scene.store.finish(reports, WRITTEN)}
        verdict, stored = verdicts[other.execution_id], await scene.now_of(other)
        assert (verdict.accepted, verdict.status, verdict.reason) == (True, CANCELLED, "gone")
        assert (stored.status, stored.reason) == (CANCELLED, "gone")
        assert [attempt.next_attempt_at for attempt in await scene.attempts(other)] == [None]

    async def test_a_late_success_of_the_same_batch_counts(self, scene: Scene) -> None:
        job = await scene.job()
        going, late = await scene.running(job), await scene.running(job)
        await scene.store.lose([late.ref], LATER)
        await scene.store.finish([gone(going), succeeded(late)], WRITTEN)
        assert (await scene.now_of(late)).status is ExecutionStatus.SUCCEEDED

    async def test_two_of_one_batch_end_it_once(self, scene: Scene) -> None:
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(2)]
        verdicts = await scene.store.finish([gone(claim) for claim in claims], WRITTEN)
        assert [(v.accepted, v.reason) for v in verdicts] == [(True, "gone")] * 2
        assert (await scene.job_now(job)).revision == 2

    async def test_a_result_that_is_refused_ends_nothing(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job)
        await scene.store.lose([claim.ref], LATER)
        await scene.store.finish([gone(claim)], WRITTEN)
        stored = await scene.job_now(job)
        assert (stored.status, stored.revision, stored.next_run) == (JobStatus.ACTIVE, 1, job.next_run)
        assert (await scene.now_of(claim)).status is QUEUED

    async def test_a_change_made_beside_it_fails(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.store.finish([gone(await scene.running(job))], WRITTEN)
        assert not await scene.store.change_job(job.changed(LATER), expected=job, cancel=None, max_jobs=None, now=LATER)

    async def test_a_plan_made_beside_it_is_skipped(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.store.finish([gone(await scene.running(job))], WRITTEN)
        assert list(await scene.store.plan([make_plan(job)], WRITTEN)) == []

    @pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.INACTIVE])
    async def test_a_job_that_stopped_otherwise_is_gone_as_well(self, scene: Scene, status: JobStatus) -> None:
        reason = InactiveReason.EXHAUSTED if status is JobStatus.INACTIVE else None
        job = await scene.job(status=status, inactive_reason=reason)
        await scene.store.finish([gone(await scene.running(job))], WRITTEN)
        stored = await scene.job_now(job)
        assert (stored.status, stored.inactive_reason) == (JobStatus.INACTIVE, InactiveReason.GONE)

    async def test_a_job_that_is_gone_stays_as_it_is(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.store.finish([gone(await scene.running(job))], WRITTEN)
        before = await scene.job_now(job)
        await scene.store.finish([gone(await scene.running(job))], WRITTEN + MINUTE)
        after = await scene.job_now(job)
        assert (after.revision, after.updated_at) == (before.revision, before.updated_at)

    async def test_a_deleted_job_stays_deleted(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job)
        await scene.delete(job)
        [verdict] = await scene.store.finish([gone(claim)], WRITTEN)
        assert (verdict.accepted, verdict.reason) == (True, "gone")
        assert await scene.store.get_job(job.workspace_id, job.id) is None


class OneTimeJobs(JobStoreSuite):
    async def test_one_completes_with_its_scheduled_execution(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        before = await scene.job_now(job)
        await scene.store.finish([succeeded(claim, LATER)], WRITTEN)
        assert await scene.job_now(job) == evolve(
            before,
            status=JobStatus.INACTIVE,
            inactive_reason=InactiveReason.COMPLETED,
            revision=before.revision + 1,
            updated_at=WRITTEN,
            last_run_status=ExecutionStatus.SUCCEEDED,
        )
        assert await scene.store.count_jobs(job.workspace_id) == 0

    async def test_one_fails_with_its_scheduled_execution(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        await scene.store.finish([gave_up(claim)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.INACTIVE, InactiveReason.FAILED)

    async def test_one_that_is_gone_is_gone(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        await scene.store.finish([gone(claim)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.INACTIVE, InactiveReason.GONE)

    async def test_one_waits_for_the_last_retry(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        await scene.store.finish([retry(claim, LATER)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.ACTIVE, None)
        again = await scene.claim(await scene.now_of(claim), now=LATER + MINUTE)
        await scene.store.finish([succeeded(again)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.INACTIVE, InactiveReason.COMPLETED)

    async def test_one_completes_with_a_late_success(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        await scene.store.lose([claim.ref], LATER)
        assert await self._state(scene, job) == (JobStatus.ACTIVE, None)
        await scene.store.finish([succeeded(claim)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.INACTIVE, InactiveReason.COMPLETED)

    async def test_one_fails_with_the_third_loss(self, scene: Scene) -> None:
        job, execution = await scene.due_once()
        for loss in range(1, MAX_LOSSES + 1):
            claim = await scene.claim(await scene.now_of(execution))
            await scene.store.lose([claim.ref], LATER)
            expected = InactiveReason.FAILED if loss == MAX_LOSSES else None
            assert (await scene.job_now(job)).inactive_reason is expected

    async def test_a_paused_one_ends_as_well(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        await scene.pause(job)
        await scene.store.finish([succeeded(claim)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.INACTIVE, InactiveReason.COMPLETED)

    async def test_a_paused_one_whose_retry_was_cancelled_stays_paused(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        await scene.pause(job)
        [verdict] = await scene.store.finish([retry(claim)], WRITTEN)
        assert verdict.reason == "paused"
        assert await self._state(scene, job) == (JobStatus.PAUSED, None)

    async def test_one_that_was_resumed_too_late_keeps_its_reason(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        await scene.pause(job)
        resumed = await scene.resume(job)
        assert resumed.inactive_reason is InactiveReason.MISSED
        await scene.store.finish([succeeded(claim)], WRITTEN)
        stored = await scene.job_now(job)
        assert (stored.inactive_reason, stored.revision) == (InactiveReason.MISSED, resumed.revision)

    @pytest.mark.parametrize("report", [succeeded, gave_up])
    async def test_one_with_a_new_instant_goes_on(self, scene: Scene, report: Report) -> None:
        job, claim = await self._running(scene)
        stored = await scene.job_now(job)
        moved = await scene.change(
            stored, stored.changed(LATER, definition=make_definition(schedule=OneTimeSchedule(LATER)), next_run=LATER)
        )
        await scene.store.finish([report(claim)], WRITTEN)
        stored = await scene.job_now(job)
        assert (stored.status, stored.next_run, stored.revision) == (JobStatus.ACTIVE, LATER, moved.revision)

    async def test_one_that_was_given_its_old_instant_anew_goes_on(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        stored = await scene.job_now(job)
        await scene.change(stored, stored.changed(LATER, next_run=NOW))
        await scene.store.finish([succeeded(claim)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.ACTIVE, None)

    async def test_a_paused_one_with_a_new_instant_goes_on(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        paused = await scene.pause(job)
        await scene.change(paused, paused.changed(LATER, definition=make_definition(schedule=OneTimeSchedule(LATER))))
        await scene.store.finish([succeeded(claim)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.PAUSED, None)

    async def test_one_that_became_a_cron_job_goes_on(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        stored = await scene.job_now(job)
        await scene.change(stored, stored.changed(LATER, definition=make_definition(), next_run=LATER + MINUTE))
        await scene.store.finish([succeeded(claim)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.ACTIVE, None)

    @pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.REPLAY])
    async def test_one_does_not_end_with_a_run_by_hand(self, scene: Scene, trigger: Trigger) -> None:
        job, _ = await scene.due_once()
        claim = await scene.running(job, trigger)
        await scene.store.finish([succeeded(claim)], WRITTEN)
        assert await self._state(scene, job) == (JobStatus.ACTIVE, None)

    async def test_a_cron_job_goes_on(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job, Trigger.SCHEDULE)
        before = await scene.job_now(job)
        await scene.store.finish([succeeded(claim)], WRITTEN)
        after = await scene.job_now(job)
        assert evolve(after, last_run_status=before.last_run_status) == before

    async def test_a_release_ends_nothing(self, scene: Scene) -> None:
        job, claim = await self._running(scene)
        await scene.store.release([claim.ref], LATER)
        assert await self._state(scene, job) == (JobStatus.ACTIVE, None)

    async def _running(self, scene: Scene) -> tuple[Job, Claim]:
        job, execution = await scene.due_once()
        return job, await scene.claim(execution)

    async def _state(self, scene: Scene, of: Job | Execution) -> tuple[JobStatus, InactiveReason | None]:
        stored = await scene.job_now(of)
        return stored.status, stored.inactive_reason

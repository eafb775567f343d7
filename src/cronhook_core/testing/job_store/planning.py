"""Turning due jobs into executions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.planning import JobPlan
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, make_due_job, make_execution, make_id, make_plan
from cronhook_core.testing.job_store.scene import FIRST, LATER, JobStoreSuite, Scene

MICROSECOND = timedelta(microseconds=1)


class DueJobs(JobStoreSuite):
    async def test_nothing_is_due_in_an_empty_store(self, store: JobStore) -> None:
        assert list(await store.due_jobs(LATER, 10)) == []

    async def test_a_job_is_due_from_its_instant_on(self, scene: Scene) -> None:
        job = await scene.job()
        assert list(await scene.store.due_jobs(FIRST - MICROSECOND, 10)) == []
        assert list(await scene.store.due_jobs(FIRST, 10)) == [make_due_job(job)]
        assert list(await scene.store.due_jobs(LATER, 10)) == [make_due_job(job)]

    async def test_only_active_jobs_are_due(self, scene: Scene) -> None:
        active = await scene.job()
        await scene.job(status=JobStatus.PAUSED, next_run=FIRST)
        await scene.job(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=FIRST)
        await scene.job(next_run=None)
        await scene.delete(await scene.job())
        await scene.pause(await scene.job())
        assert [due.id for due in await scene.store.due_jobs(LATER, 10)] == [active.id]

    async def test_they_come_oldest_first_up_to_the_limit(self, scene: Scene) -> None:
        made = {minutes: await scene.job(next_run=NOW + minutes * MINUTE) for minutes in (5, 1, 4, 2, 3)}
        wanted = [made[minutes].id for minutes in (1, 2, 3, 4, 5)]
        assert [due.id for due in await scene.store.due_jobs(LATER, 10)] == wanted
        assert [due.id for due in await scene.store.due_jobs(LATER, 2)] == wanted[:2]

    async def test_a_look_goes_on_after_the_last_job_of_the_one_before(self, scene: Scene) -> None:
        made = [*await scene.jobs(3), *await scene.jobs(2, next_run=FIRST + MINUTE)]
        found = await scene.store.due_jobs(LATER, 2)
        while more := await scene.store.due_jobs(LATER, 2, after=found[-1]):
            assert len(more) <= 2
            found = [*found, *more]
        assert [due.id for due in found] == [job.id for job in sorted(made, key=lambda job: (job.next_run, job.id))]

    async def test_what_was_planned_leaves_the_place_of_a_look_as_it_is(self, scene: Scene) -> None:
        jobs = sorted(await scene.jobs(4), key=lambda job: job.id)
        first = await scene.store.due_jobs(FIRST, 2)
        await scene.store.plan([make_plan(job) for job in jobs[:2]], FIRST)
        assert list(await scene.store.due_jobs(FIRST, 10, after=first[-1])) == [make_due_job(job) for job in jobs[2:]]

    async def test_jobs_of_all_workspaces_are_due(self, scene: Scene) -> None:
        other = (await scene.another_workspace()).id
        jobs = [await scene.job(), await scene.job(workspace_id=other)]
        assert {due.workspace_id for due in await scene.store.due_jobs(LATER, 10)} == {j.workspace_id for j in jobs}

    async def test_a_planned_job_tells_how_far_planning_came(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.planned(job)
        [due] = await scene.store.due_jobs(LATER, 10)
        assert due == evolve(make_due_job(job), next_run=FIRST + MINUTE, planned_through=FIRST)


class Planning(JobStoreSuite):
    async def test_an_execution_is_queued_and_the_job_moves_on(self, scene: Scene) -> None:
        job = await scene.job()
        plan = make_plan(job)
        assert plan.execution is not None
        assert list(await scene.store.plan([plan], FIRST)) == [plan.execution.id]
        assert await scene.now_of(plan.execution) == plan.execution
        assert await scene.job_now(job) == evolve(
            job,
            next_run=FIRST + MINUTE,
            planned_through=FIRST,
            last_run=FIRST,
            last_run_status=ExecutionStatus.QUEUED,
        )

    async def test_missed_instants_are_kept_on_the_execution(self, scene: Scene) -> None:
        job = await scene.job()
        plan = make_plan(job)
        assert plan.execution is not None
        catching_up = evolve(plan.execution, missed_count=1000, missed_from=NOW)
        await scene.store.plan([evolve(plan, execution=catching_up)], LATER)
        assert await scene.now_of(catching_up) == catching_up

    async def test_the_answer_has_the_order_of_the_plans(self, scene: Scene) -> None:
        jobs = await scene.jobs(20)
        plans = [make_plan(job) for job in jobs]
        queued = await scene.store.plan(plans, FIRST)
        assert list(queued) == [plan.execution.id for plan in plans if plan.execution]

    async def test_planning_nothing_is_harmless(self, store: JobStore) -> None:
        assert list(await store.plan([], NOW)) == []

    async def test_repeating_it_is_a_no_op(self, scene: Scene) -> None:
        job = await scene.job()
        plan = make_plan(job)
        await scene.store.plan([plan], FIRST)
        before = await scene.job_now(job)
        assert list(await scene.store.plan([plan], LATER)) == []
        assert await scene.job_now(job) == before
        assert len(await self._executions(scene, job)) == 1

    @pytest.mark.parametrize(
        "changes",
        [{"revision": 2}, {"expected_next_run": FIRST + MICROSECOND}, {"job_id": "job_unknown"}],
    )
    async def test_a_plan_of_another_state_is_skipped(self, scene: Scene, changes: dict[str, Any]) -> None:
        job = await scene.job()
        assert list(await scene.store.plan([make_plan(job, **changes)], FIRST)) == []
        assert await scene.job_now(job) == job

    async def test_a_plan_of_a_job_changed_meanwhile_is_skipped(self, scene: Scene) -> None:
        edited, halted, deleted, back_again, untouched = await scene.jobs(5)
        plans = [make_plan(job) for job in (edited, halted, deleted, back_again, untouched)]
        await scene.change(edited, edited.changed(NOW))
        await scene.pause(halted)
        await scene.delete(deleted)
        resumed = await scene.resume(await scene.pause(back_again))
        await scene.change(resumed, resumed.changed(NOW, next_run=back_again.next_run))
        queued = await scene.store.plan(plans, FIRST)
        assert [plans[4].execution and plans[4].execution.id] == list(queued)
        for job in (edited, halted, deleted, back_again):
            assert await self._executions(scene, job) == []

    @pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.INACTIVE])
    async def test_a_plan_of_a_job_that_is_not_active_is_skipped(self, scene: Scene, status: JobStatus) -> None:
        job = await scene.job(status=status, next_run=FIRST)
        assert list(await scene.store.plan([make_plan(job)], FIRST)) == []
        assert await scene.job_now(job) == job

    async def test_of_two_plans_for_one_job_one_counts(self, scene: Scene) -> None:
        job = await scene.job()
        plan = make_plan(job)
        assert plan.execution is not None
        assert list(await scene.store.plan([plan, plan], FIRST)) == [plan.execution.id]
        assert len(await self._executions(scene, job)) == 1
        assert (await scene.job_now(job)).next_run == FIRST + MINUTE

    async def test_an_instant_that_has_its_execution_is_not_queued_again(self, scene: Scene) -> None:
        job = await scene.job()
        execution = await scene.planned(job)
        stored = await scene.job_now(job)
        again = await scene.change(stored, stored.changed(NOW, next_run=FIRST))
        assert list(await scene.store.plan([make_plan(again)], FIRST)) == []
        assert await self._executions(scene, job) == [execution.id]
        assert (await scene.job_now(job)).next_run == FIRST + MINUTE

    async def test_an_instant_is_one_execution_whatever_its_id(self, scene: Scene) -> None:
        job = await scene.job()
        execution = await scene.planned(job)
        stored = await scene.job_now(job)
        again = await scene.change(stored, stored.changed(NOW, next_run=FIRST))
        other = make_execution(again, at=FIRST, trigger=Trigger.SCHEDULE, id=make_id("exe", FIRST))
        assert list(await scene.store.plan([make_plan(again, execution=other)], FIRST)) == []
        assert await self._executions(scene, job) == [execution.id]

    async def test_a_run_by_hand_takes_no_instant(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.queued(job, at=FIRST)
        assert len(await scene.store.plan([make_plan(job)], FIRST)) == 1

    async def test_planned_through_never_goes_back(self, scene: Scene) -> None:
        job = await scene.job(planned_through=LATER)
        await scene.store.plan([make_plan(job)], FIRST)
        assert (await scene.job_now(job)).planned_through == LATER

    async def test_a_one_time_job_stays_active_while_it_runs(self, scene: Scene) -> None:
        job, _ = await scene.due_once()
        stored = await scene.job_now(job)
        assert (stored.status, stored.next_run, stored.planned_through) == (JobStatus.ACTIVE, None, NOW)

    async def test_a_job_that_cannot_be_planned_becomes_inactive(self, scene: Scene) -> None:
        job = await scene.job()
        plan = self._ending(job, InactiveReason.UNPLANNABLE, execution=None)
        assert list(await scene.store.plan([plan], LATER)) == []
        assert await scene.job_now(job) == evolve(
            job,
            status=JobStatus.INACTIVE,
            inactive_reason=InactiveReason.UNPLANNABLE,
            revision=2,
            next_run=None,
            planned_through=FIRST,
            updated_at=LATER,
        )
        assert list(await scene.store.due_jobs(LATER, 10)) == []
        assert await scene.store.count_jobs(job.workspace_id) == 0

    async def test_a_change_made_beside_its_end_fails(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.store.plan([self._ending(job, InactiveReason.UNPLANNABLE, execution=None)], LATER)
        assert not await scene.store.change_job(job.changed(LATER), expected=job, cancel=None, max_jobs=None, now=LATER)

    async def test_the_last_instant_of_a_job_still_runs(self, scene: Scene) -> None:
        job = await scene.job()
        [execution_id] = await scene.store.plan([self._ending(job, InactiveReason.EXHAUSTED)], LATER)
        assert (await scene.job_now(job)).inactive_reason is InactiveReason.EXHAUSTED
        assert len(await scene.store.claim([execution_id], worker_id=await scene.worker(), now=LATER)) == 1

    async def test_one_plan_may_queue_nothing_and_go_on(self, scene: Scene) -> None:
        job = await scene.job()
        assert list(await scene.store.plan([make_plan(job, execution=None)], FIRST)) == []
        stored = await scene.job_now(job)
        assert (stored.status, stored.next_run, stored.revision) == (JobStatus.ACTIVE, FIRST + MINUTE, 1)

    def _ending(self, job: Job, reason: InactiveReason, **changes: Any) -> JobPlan:
        return make_plan(job, next_run=None, inactive_reason=reason, **changes)

    async def _executions(self, scene: Scene, job: Job) -> list[str]:
        return [e.id for e in await scene.store.list_executions(job.workspace_id, job.id, limit=10)]


class NextDue(JobStoreSuite):
    async def test_nothing_is_ahead_in_an_empty_store(self, store: JobStore) -> None:
        assert await store.next_due(NOW) is None

    async def test_it_is_the_earliest_of_jobs_and_executions(self, scene: Scene) -> None:
        by_hand = await scene.job(next_run=None)
        await scene.job(schedule=OneTimeSchedule(NOW + 5 * MINUTE))
        assert await scene.store.next_due(NOW) == NOW + 5 * MINUTE
        await scene.queued(by_hand, at=NOW + 3 * MINUTE)
        await scene.queued(by_hand, at=NOW + 7 * MINUTE)
        assert await scene.store.next_due(NOW) == NOW + 3 * MINUTE
        await scene.job(next_run=NOW + 2 * MINUTE)
        assert await scene.store.next_due(NOW) == NOW + 2 * MINUTE

    async def test_a_job_that_is_late_counts(self, scene: Scene) -> None:
        await scene.job()
        assert await scene.store.next_due(FIRST) == FIRST
        assert await scene.store.next_due(LATER) == FIRST

    async def test_an_execution_that_is_available_does_not(self, scene: Scene) -> None:
        job = await scene.job(next_run=None)
        await scene.queued(job, at=FIRST)
        assert await scene.store.next_due(FIRST - MICROSECOND) == FIRST
        assert await scene.store.next_due(FIRST) is None

    async def test_neither_does_what_is_not_active_or_not_queued(self, scene: Scene) -> None:
        await scene.job(status=JobStatus.PAUSED)
        running = await scene.queued(await scene.job(next_run=None), at=LATER)
        await scene.claim(running)
        assert await scene.store.next_due(NOW) is None

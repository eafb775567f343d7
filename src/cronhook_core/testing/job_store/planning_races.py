"""What holds when several schedulers plan at once, and beside the API and workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime

from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import InactiveReason
from cronhook_core.ports.job_catalog import CancelQueued
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, gone, make_plan
from cronhook_core.testing.job_store.racing import ROUNDS, Stop, either_stop, insist, race, report_all, several
from cronhook_core.testing.job_store.scene import FIRST, LATER, JobStoreSuite, OpenStore, Scene


async def plan_everything(store: JobStore, now: datetime) -> list[str]:
    """Plan instant after instant until nothing is due, as one scheduler would that believes to lead."""
    queued: list[str] = []
    while due := await store.due_jobs(now, 7):
        queued += await store.plan([make_plan(job) for job in due], now)
    return queued


class PlanningRaces(JobStoreSuite):
    async def test_eight_planners_make_one_execution_of_each_instant(self, scene: Scene, open_store: OpenStore) -> None:
        jobs = await scene.jobs(20)
        planners = await several(scene, open_store, 8)
        answers = await asyncio.gather(*(plan_everything(store, NOW + 4 * MINUTE) for store in planners))
        instants = [FIRST + n * MINUTE for n in range(4)]
        planned: list[str] = []
        for job in jobs:
            executions = await scene.store.list_executions(job.workspace_id, job.id, limit=10)
            assert sorted(execution.scheduled_for for execution in executions) == instants
            assert (await scene.job_now(job)).next_run == NOW + 5 * MINUTE
            planned += [execution.id for execution in executions]
        assert sorted(execution_id for answer in answers for execution_id in answer) == sorted(planned)

    async def test_eight_planners_agree_on_one_plan(self, scene: Scene, open_store: OpenStore) -> None:
        plans = [make_plan(job) for job in await scene.jobs(20)]
        planners = await several(scene, open_store, 8)
        answers = await asyncio.gather(
            *(store.plan(plans if n % 2 else plans[::-1], FIRST) for n, store in enumerate(planners))
        )
        queued = Counter(execution_id for answer in answers for execution_id in answer)
        assert queued == Counter(plan.execution.id for plan in plans if plan.execution)

    @either_stop
    async def test_nothing_stays_queued_of_a_job_stopped_beside_its_plan(
        self, scene: Scene, open_store: OpenStore, step: Stop, cancel: CancelQueued
    ) -> None:
        planner, api = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        await race((insist(api, job, step, cancel), planner.plan([make_plan(job)], FIRST)) for job in jobs)
        assert list(await scene.store.ready(LATER, 100)) == []
        assert list(await scene.store.due_jobs(LATER, 100)) == []
        for job in jobs:
            for execution in await scene.store.list_executions(job.workspace_id, job.id, limit=10):
                assert execution.status is ExecutionStatus.CANCELLED
                assert execution.reason == cancel.reason

    async def test_nothing_stays_queued_of_a_job_that_goes_beside_its_plan(
        self, scene: Scene, open_store: OpenStore
    ) -> None:
        planner, worker = await several(scene, open_store, 2)
        batches = [await scene.jobs(30) for _ in range(ROUNDS // 3)]
        going = [batch[-1] for batch in batches]
        ends = [gone(await scene.running(job)) for job in going]
        await race(
            (planner.plan([make_plan(job) for job in batch], FIRST), report_all(worker, [end]))
            for batch, end in zip(batches, ends, strict=True)
        )
        for job in going:
            assert (await scene.job_now(job)).inactive_reason is InactiveReason.GONE
            executions = await scene.store.list_executions(job.workspace_id, job.id, limit=10)
            assert ExecutionStatus.QUEUED not in {execution.status for execution in executions}

    async def test_of_an_edit_and_a_plan_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        planner, api = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        outcomes = await race(
            (
                api.change_job(job.changed(NOW, next_run=LATER), expected=job, cancel=None, max_jobs=None, now=NOW),
                planner.plan([make_plan(job)], FIRST),
            )
            for job in jobs
        )
        for job, (edited, queued) in zip(jobs, outcomes, strict=True):
            assert edited is not bool(queued)
            stored = await scene.job_now(job)
            assert stored.next_run == (LATER if edited else FIRST + MINUTE)
            assert len(await scene.store.list_executions(job.workspace_id, job.id, limit=10)) == len(queued)

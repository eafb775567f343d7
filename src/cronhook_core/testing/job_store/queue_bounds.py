"""How many executions users may queue."""

from __future__ import annotations

import asyncio

import pytest

from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import Execution, ExecutionStatus, Trigger
from cronhook_core.domain.job import Job
from cronhook_core.domain.queue_bounds import QueueBounds
from cronhook_core.errors import AlreadyAnswered, NotFound, QuotaExceeded
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, make_execution, make_idempotent_request, retry, succeeded
from cronhook_core.testing.job_store.racing import several
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, OpenStore, Scene

OF_JOB = QueueBounds(per_job=3, per_workspace=100)
OF_WORKSPACE = QueueBounds(per_job=100, per_workspace=3)
EACH = pytest.mark.parametrize("bounds", [OF_JOB, OF_WORKSPACE], ids=["job", "workspace"])


async def refused(store: JobStore, job: Job, bounds: QueueBounds) -> QuotaExceeded:
    surplus = make_execution(job)
    with pytest.raises(QuotaExceeded) as raised:
        await store.add_execution(surplus, now=NOW, bounds=bounds)
    assert await store.get_execution(job.workspace_id, surplus.id) is None
    return raised.value


async def queue(scene: Scene, job: Job, count: int, bounds: QueueBounds) -> list[Execution]:
    executions = [make_execution(job) for _ in range(count)]
    for execution in executions:
        await scene.store.add_execution(execution, now=NOW, bounds=bounds)
    return executions


class BoundedQueues(JobStoreSuite):
    @EACH
    async def test_a_bound_is_reached_exactly(self, scene: Scene, bounds: QueueBounds) -> None:
        job = await scene.job()
        await queue(scene, job, 3, bounds)
        error = await refused(scene.store, job, bounds)
        assert error.limit == 3
        assert ("job" if bounds is OF_JOB else "workspace") in str(error)
        assert await scene.store.count_queued(job.workspace_id) == 3

    @EACH
    async def test_replays_count_and_are_bounded_as_runs(self, scene: Scene, bounds: QueueBounds) -> None:
        job = await scene.job()
        for trigger in (Trigger.REPLAY, Trigger.MANUAL, Trigger.REPLAY):
            await scene.store.add_execution(make_execution(job, trigger=trigger), now=NOW, bounds=bounds)
        with pytest.raises(QuotaExceeded):
            await scene.store.add_execution(make_execution(job, trigger=Trigger.REPLAY), now=NOW, bounds=bounds)

    @EACH
    async def test_what_schedules_queue_neither_counts_nor_is_bounded(self, scene: Scene, bounds: QueueBounds) -> None:
        jobs = await scene.jobs(4)
        for job in jobs:
            await scene.planned(job)
        assert await scene.store.count_queued(jobs[0].workspace_id) == 0
        await queue(scene, jobs[0], 3, bounds)
        await refused(scene.store, jobs[0], bounds)
        later = await scene.job()
        await scene.planned(later)
        assert await scene.store.count_queued(later.workspace_id) == 3

    @EACH
    async def test_one_counts_until_it_ends(self, scene: Scene, bounds: QueueBounds) -> None:
        job = await scene.job()
        first, *_ = await queue(scene, job, 3, bounds)
        claim = await scene.claim(first)
        await refused(scene.store, job, bounds)
        await scene.store.finish([retry(claim, LATER)], LATER)
        await refused(scene.store, job, bounds)
        again = await scene.claim(await scene.now_of(first), now=LATER + MINUTE)
        await scene.store.finish([succeeded(again)], LATER)
        assert await scene.store.count_queued(job.workspace_id) == 2
        await queue(scene, job, 1, bounds)
        await refused(scene.store, job, bounds)

    @EACH
    async def test_each_end_leaves_room_once(self, scene: Scene, bounds: QueueBounds) -> None:
        """However the store keeps count: no room is lost, and none is given twice."""
        job = await scene.job()
        for _ in range(3):
            lost, cancelled, succeeding = await queue(scene, job, 3, bounds)
            await refused(scene.store, job, bounds)
            await self._lose_for_good(scene, lost)
            await scene.store.cancel_execution(job.workspace_id, cancelled.id, now=LATER)
            await scene.store.finish([succeeded(await scene.claim(succeeding))], LATER)
            assert await scene.store.count_queued(job.workspace_id) == 0

    async def _lose_for_good(self, scene: Scene, execution: Execution) -> None:
        while not (stored := await scene.now_of(execution)).status.is_final:
            claim: Claim = await scene.claim(stored)
            await scene.store.lose([claim.ref], LATER)

    @EACH
    async def test_the_end_of_a_job_leaves_room(self, scene: Scene, bounds: QueueBounds) -> None:
        job = await scene.job()
        queued = await queue(scene, job, 3, bounds)
        await scene.delete(job)
        assert {(await scene.now_of(one)).status for one in queued} == {ExecutionStatus.CANCELLED}
        await queue(scene, await scene.job(), 3, bounds)

    async def test_jobs_do_not_share_the_bound_of_a_job(self, scene: Scene) -> None:
        job, other = await scene.jobs(2)
        await queue(scene, job, 3, OF_JOB)
        await queue(scene, other, 3, OF_JOB)
        await refused(scene.store, other, OF_JOB)

    async def test_workspaces_do_not_share_the_bound_of_a_workspace(self, scene: Scene) -> None:
        job = await scene.job()
        await queue(scene, job, 3, OF_WORKSPACE)
        other = await scene.job(workspace_id=(await scene.another_workspace()).id)
        await queue(scene, other, 3, OF_WORKSPACE)
        assert await scene.store.count_queued(other.workspace_id) == 3

    async def test_bounds_may_be_others_each_time(self, scene: Scene) -> None:
        job = await scene.job()
        for per_job, per_workspace in [(None, None), (9, 9), (None, 9), (9, None), (None, None)]:
            await queue(scene, job, 1, QueueBounds(per_job=per_job, per_workspace=per_workspace))
        for per_job, per_workspace in [(5, None), (None, 5), (5, 9), (9, 5), (0, None), (None, 0)]:
            await refused(scene.store, job, QueueBounds(per_job=per_job, per_workspace=per_workspace))
        await queue(scene, job, 1, QueueBounds(per_job=6, per_workspace=6))

    @EACH
    async def test_a_repeat_is_no_further_one(self, scene: Scene, bounds: QueueBounds) -> None:
        job = await scene.job()
        request = make_idempotent_request()
        await queue(scene, job, 2, bounds)
        execution = make_execution(job)
        await scene.store.add_execution(execution, now=NOW, bounds=bounds, idempotency=request)
        with pytest.raises(AlreadyAnswered):
            await scene.store.add_execution(make_execution(job), now=NOW, bounds=bounds, idempotency=request)
        await scene.store.add_execution(execution, now=NOW, bounds=bounds)
        assert await scene.store.count_queued(job.workspace_id) == 3

    @EACH
    async def test_what_is_refused_keeps_no_answer(self, scene: Scene, bounds: QueueBounds) -> None:
        job, request = await scene.job(), make_idempotent_request()
        first, *_ = await queue(scene, job, 3, bounds)
        with pytest.raises(QuotaExceeded):
            await scene.store.add_execution(make_execution(job), now=NOW, bounds=bounds, idempotency=request)
        await scene.store.cancel_execution(job.workspace_id, first.id, now=NOW)
        await scene.store.add_execution(make_execution(job), now=NOW, bounds=bounds, idempotency=request)

    @EACH
    async def test_a_job_that_is_not_there_is_not_found(self, scene: Scene, bounds: QueueBounds) -> None:
        await queue(scene, await scene.job(), 3, bounds)
        gone = await scene.delete(await scene.job())
        with pytest.raises(NotFound):
            await scene.store.add_execution(make_execution(gone), now=NOW, bounds=bounds)

    @EACH
    async def test_a_bound_is_reached_exactly_however_many_ask(
        self, scene: Scene, open_store: OpenStore, bounds: QueueBounds
    ) -> None:
        stores, job = await several(scene, open_store, 4), await scene.job()

        async def queued(store: JobStore) -> bool:
            try:
                await store.add_execution(make_execution(job), now=NOW, bounds=bounds)
            except QuotaExceeded:
                return False
            return True

        assert sum(await asyncio.gather(*(queued(stores[n % 4]) for n in range(12)))) == 3
        assert await scene.store.count_queued(job.workspace_id) == 3

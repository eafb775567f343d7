"""Whether the store answers, and what it forgets."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from cronhook_core.domain.claim import Claim
from cronhook_core.domain.idempotency import KEPT_FOR
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.errors import AlreadyAnswered
from cronhook_core.ports.job_catalog import JobFilter
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import (
    MINUTE,
    NOW,
    gave_up,
    make_definition,
    make_execution,
    make_idempotent_request,
    make_job,
    retry,
    succeeded,
)
from cronhook_core.testing.job_store.scene import FIRST, LATER, JobStoreSuite, OpenStore, Scene

MICROSECOND = timedelta(microseconds=1)
LONG_AFTER = LATER + timedelta(days=400)


class Upkeep(JobStoreSuite):
    async def test_a_store_that_answers_says_nothing_more(self, store: JobStore) -> None:
        await store.ping()

    async def test_no_clock_was_believed_in_a_new_store(self, store: JobStore) -> None:
        assert await store.believed_clock() is None

    async def test_the_clock_that_was_believed_last_counts_for_all(self, scene: Scene, open_store: OpenStore) -> None:
        for now in (LATER, NOW + MICROSECOND):
            await scene.store.remember_clock(now)
            assert await scene.store.believed_clock() == now
        assert await (await open_store()).believed_clock() == NOW + MICROSECOND

    async def test_what_ended_before_is_deleted_with_its_attempts(self, scene: Scene) -> None:
        job = await scene.job()
        old = [await self._ended(scene, job, LATER + n * MINUTE) for n in range(3)]
        kept = await self._ended(scene, job, LATER + 3 * MINUTE)
        newest = await scene.queued(job, at=LONG_AFTER)
        assert await scene.store.prune(LATER + 3 * MINUTE, 10, now=LONG_AFTER) == 3
        assert await self._left(scene, job) == [newest.id, kept.execution_id]
        page, total = await scene.store.list_attempts(job.workspace_id, job.id, offset=0, limit=10)
        assert ([attempt.execution_id for attempt in page], total) == ([kept.execution_id], 1)
        for claim in old:
            assert await scene.attempts(claim) == []
            assert await scene.store.get_execution(job.workspace_id, claim.execution_id) is None

    async def test_the_end_is_compared_to_the_microsecond(self, scene: Scene) -> None:
        job = await scene.job()
        await self._ended(scene, job, LATER)
        await scene.queued(job, at=LONG_AFTER)
        assert await scene.store.prune(LATER, 10, now=LONG_AFTER) == 0
        assert await scene.store.prune(LATER + MICROSECOND, 10, now=LONG_AFTER) == 1

    async def test_the_newest_execution_of_an_active_or_paused_job_stays(self, scene: Scene) -> None:
        jobs = [await scene.job(), await scene.job(status=JobStatus.PAUSED, next_run=None)]
        claims = [await self._ended(scene, job, LATER) for job in jobs for _ in range(2)]
        assert await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER) == 2
        for job in jobs:
            [left] = await self._left(scene, job)
            assert left == max(c.execution_id for c in claims if c.job_id == job.id)
            assert len((await scene.store.list_attempts(job.workspace_id, job.id, offset=0, limit=10))[0]) == 1
        assert await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER) == 0

    async def test_no_more_than_the_limit_at_once(self, scene: Scene) -> None:
        job = await scene.job()
        for n in range(6):
            await self._ended(scene, job, LATER + n * MINUTE)
        pruned = [await scene.store.prune(LONG_AFTER, 2, now=LONG_AFTER) for _ in range(4)]
        assert pruned == [2, 2, 1, 0]

    async def test_what_did_not_end_stays_however_old(self, scene: Scene) -> None:
        job = await scene.job()
        queued, running = await scene.queued(job), await scene.running(job)
        waiting = await scene.running(job)
        await scene.store.finish([retry(waiting)], LATER)
        await scene.queued(job, at=LONG_AFTER)
        assert await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER) == 0
        assert set(await self._left(scene, job)) >= {queued.id, running.execution_id, waiting.execution_id}

    async def test_every_way_to_end_counts(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.store.finish([gave_up(await scene.running(job))], LATER)
        cancelled = await scene.queued(job)
        await scene.store.cancel_execution(job.workspace_id, cancelled.id, now=LATER)
        await scene.planned(job)
        await scene.pause(job)
        await scene.queued(job, at=LONG_AFTER)
        assert await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER) == 3

    async def test_those_of_deleted_jobs_go_with_the_newest(self, scene: Scene) -> None:
        job = await scene.job()
        for n in range(3):
            await self._ended(scene, job, LATER + n * MINUTE)
        await scene.delete(job)
        assert await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER) == 3
        assert await self._left(scene, job) == []
        assert await scene.store.list_attempts(job.workspace_id, job.id, offset=0, limit=10) == ([], 0)

    async def test_those_of_one_time_jobs_that_are_over_go(self, scene: Scene) -> None:
        job, execution = await scene.due_once()
        claim = await scene.claim(execution)
        await scene.store.finish([succeeded(claim, LATER)], LATER)
        assert await scene.store.prune(LATER, 10, now=LONG_AFTER) == 0
        assert await scene.store.prune(LATER + MICROSECOND, 10, now=LONG_AFTER) == 1
        assert await scene.store.get_execution(job.workspace_id, execution.id) is None
        assert await scene.attempts(claim) == []

    async def test_idempotency_records_go_when_they_expire_whatever_the_retention_is(self, scene: Scene) -> None:
        job = await scene.job()
        request = make_idempotent_request()
        await scene.store.add_execution(make_execution(job), now=NOW, idempotency=request)
        await scene.store.prune(NOW, 10, now=NOW + KEPT_FOR - MINUTE)
        with pytest.raises(AlreadyAnswered):
            await scene.store.refuse_repeat(job.workspace_id, request, now=NOW)
        await scene.store.prune(NOW, 10, now=NOW + KEPT_FOR + MINUTE)
        await scene.store.refuse_repeat(job.workspace_id, request, now=NOW)
        execution = make_execution(job)
        await scene.store.add_execution(execution, now=NOW, idempotency=request)
        assert await scene.now_of(execution) == execution

    async def test_workers_long_buried_are_forgotten_and_what_they_held_is_found(self, scene: Scene) -> None:
        worker_id, alive = await scene.worker(), await scene.worker()
        claim = await scene.running(await scene.job(), worker_id=worker_id)
        await scene.bury(worker_id)
        await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER)
        assert [beat.worker_id for beat in await scene.store.worker_beats()] == [alive]
        assert not await scene.store.beat(worker_id, LONG_AFTER)
        [lost] = await scene.store.lose_abandoned(LONG_AFTER, 10)
        assert lost.execution_id == claim.execution_id
        await scene.store.register_worker(worker_id, LONG_AFTER)
        assert await scene.store.beat(worker_id, LONG_AFTER)

    async def test_workers_buried_lately_are_not_forgotten(self, scene: Scene) -> None:
        worker_id = await scene.worker()
        await scene.bury(worker_id)
        await scene.store.prune(LATER, 10, now=LONG_AFTER)
        await scene.store.register_worker(worker_id, LATER)
        assert not await scene.store.beat(worker_id, LATER)

    async def test_pruning_an_empty_store_is_harmless(self, store: JobStore) -> None:
        assert await store.prune(LONG_AFTER, 10, now=LONG_AFTER) == 0

    async def test_a_job_that_never_ran_is_left_alone(self, scene: Scene) -> None:
        job = make_job((await scene.workspace()).id)
        await scene.store.create_job(job, max_jobs=None, now=NOW)
        await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER)
        assert await scene.job_now(job) == job

    async def _ended(self, scene: Scene, job: Job, at: datetime) -> Claim:
        return await ended(scene, job, at)

    async def _left(self, scene: Scene, job: Job) -> list[str]:
        left = await scene.store.list_executions(job.workspace_id, job.id, limit=100)
        return [execution.id for execution in left]


class PruningJobs(JobStoreSuite):
    """Jobs that ended at LATER and are pruned a year after that, once their executions are."""

    async def test_a_one_time_job_that_is_over_goes_when_its_executions_are_gone(self, scene: Scene) -> None:
        job, execution = await scene.due_once()
        await scene.store.finish([succeeded(await scene.claim(execution), LATER)], LATER)
        assert await scene.store.prune_jobs(LONG_AFTER, 10) == 0
        await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER)
        assert await scene.store.prune_jobs(LATER, 10) == 0
        assert await scene.store.prune_jobs(LATER + MICROSECOND, 10) == 1
        assert await scene.store.get_job(job.workspace_id, job.id) is None
        assert list(await scene.store.list_jobs(job.workspace_id, JobFilter(), limit=10)) == []

    @pytest.mark.parametrize("status", [JobStatus.ACTIVE, JobStatus.PAUSED])
    async def test_a_job_that_is_not_over_stays_however_old_it_is(self, scene: Scene, status: JobStatus) -> None:
        job = await scene.job(status=status, next_run=FIRST if status is JobStatus.ACTIVE else None)
        assert await scene.store.prune_jobs(LONG_AFTER, 10) == 0
        assert await scene.job_now(job) == job

    async def test_a_deleted_job_goes(self, scene: Scene) -> None:
        kept, job = await scene.jobs(2)
        await scene.delete(job)
        assert await scene.store.prune_jobs(LATER, 10) == 0
        assert await scene.store.prune_jobs(LATER + MICROSECOND, 10) == 1
        assert await scene.store.prune_jobs(LONG_AFTER, 10) == 0
        assert await scene.job_now(kept) == kept

    @pytest.mark.parametrize("reason", [InactiveReason.GONE, InactiveReason.MISSED, InactiveReason.UNPLANNABLE])
    async def test_the_reason_makes_no_difference(self, scene: Scene, reason: InactiveReason) -> None:
        await scene.job(status=JobStatus.INACTIVE, inactive_reason=reason, next_run=None)
        assert await scene.store.prune_jobs(LONG_AFTER, 10) == 1

    async def test_what_changed_it_last_counts(self, scene: Scene) -> None:
        job = await scene.job(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=None)
        await scene.change(job, job.changed(LATER, definition=make_definition(name="renamed")))
        assert await scene.store.prune_jobs(LATER, 10) == 0
        assert await scene.store.prune_jobs(LATER + MICROSECOND, 10) == 1

    async def test_a_job_that_was_run_by_hand_stays_as_long_as_that_execution(self, scene: Scene) -> None:
        job = await scene.job(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=None)
        queued = await scene.queued(job)
        await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER)
        assert await scene.store.prune_jobs(LONG_AFTER, 10) == 0
        await scene.store.finish([succeeded(await scene.claim(queued), LATER)], LATER)
        await scene.store.prune(LONG_AFTER, 10, now=LONG_AFTER)
        assert await scene.store.prune_jobs(LONG_AFTER, 10) == 1

    async def test_a_job_that_came_back_meanwhile_stays(self, scene: Scene) -> None:
        job = await scene.job(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=None)
        back = await scene.change(job, job.changed(NOW, status=JobStatus.ACTIVE, inactive_reason=None, next_run=FIRST))
        assert await scene.store.prune_jobs(LONG_AFTER, 10) == 0
        assert await scene.job_now(job) == back

    async def test_no_more_than_the_limit_at_once_and_all_in_the_end(self, scene: Scene) -> None:
        for number in range(9):
            await scene.job()
            job = await scene.job()
            if number != 4:
                await scene.delete(job)
        pruned = [await scene.store.prune_jobs(LONG_AFTER, 3) for _ in range(6)]
        assert (max(pruned), sum(pruned)) == (3, 8)
        assert len(await scene.store.list_jobs(job.workspace_id, JobFilter(), limit=100)) == 10

    async def test_nothing_is_pruned_of_an_empty_store(self, store: JobStore) -> None:
        assert await store.prune_jobs(LONG_AFTER, 10) == 0


async def ended(scene: Scene, job: Job, at: datetime) -> Claim:
    """A manual execution that succeeded at this instant."""
    claim = await scene.running(job)
    await scene.store.finish([succeeded(claim, at)], LATER)
    return claim

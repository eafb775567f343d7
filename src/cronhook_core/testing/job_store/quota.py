"""How many jobs a workspace may have, and how many bytes they may take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attrs import evolve

from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.job_changes import paused
from cronhook_core.errors import Quota, QuotaExceeded
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, make_definition, make_job, succeeded
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

INACTIVE: dict[str, Any] = {"status": JobStatus.INACTIVE, "inactive_reason": InactiveReason.COMPLETED}


class QuotaOfJobs(JobStoreSuite):
    async def test_it_is_reached_exactly(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        for _ in range(3):
            await scene.store.create_job(make_job(workspace_id), max_jobs=3, now=NOW)
        surplus = make_job(workspace_id)
        with pytest.raises(QuotaExceeded) as refused:
            await scene.store.create_job(surplus, max_jobs=3, now=NOW)
        assert refused.value.limit == 3
        assert await scene.store.get_job(workspace_id, surplus.id) is None
        assert await scene.store.count_jobs(workspace_id) == 3

    async def test_active_and_paused_jobs_count(self, scene: Scene) -> None:
        await scene.jobs(2)
        paused_one = await scene.job(status=JobStatus.PAUSED)
        await scene.job(**INACTIVE)
        await scene.delete(await scene.job())
        assert await scene.store.count_jobs(paused_one.workspace_id) == 3

    async def test_an_empty_workspace_has_none(self, scene: Scene) -> None:
        assert await scene.store.count_jobs((await scene.workspace()).id) == 0

    async def test_an_inactive_job_needs_no_room(self, scene: Scene) -> None:
        job = await scene.job()
        resting = make_job(job.workspace_id, **INACTIVE)
        await scene.store.create_job(resting, max_jobs=1, now=NOW)
        assert await scene.job_now(resting) == resting

    async def test_a_deleted_job_leaves_room(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.delete(job)
        await scene.store.create_job(make_job(job.workspace_id), max_jobs=1, now=LATER)

    async def test_jobs_that_ended_leave_room_each_time(self, scene: Scene) -> None:
        """However the store keeps count: no room is lost, and none is given twice."""
        workspace_id = (await scene.workspace()).id
        for _ in range(4):
            jobs = [make_job(workspace_id) for _ in range(3)]
            for job in jobs:
                await scene.store.create_job(job, max_jobs=3, now=NOW)
            with pytest.raises(QuotaExceeded):
                await scene.store.create_job(make_job(workspace_id), max_jobs=3, now=NOW)
            for job in jobs:
                await scene.delete(job)

    async def test_the_limit_may_be_another_one_each_time(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        for stored, limit in enumerate([None, 9, 2, 4, None]):
            if limit is not None and stored >= limit:
                with pytest.raises(QuotaExceeded):
                    await scene.store.create_job(make_job(workspace_id), max_jobs=limit, now=NOW)
                limit = None
            await scene.store.create_job(make_job(workspace_id), max_jobs=limit, now=NOW)
        assert await scene.store.count_jobs(workspace_id) == 5
        with pytest.raises(QuotaExceeded):
            await scene.store.create_job(make_job(workspace_id), max_jobs=5, now=NOW)
        await scene.store.create_job(make_job(workspace_id), max_jobs=6, now=NOW)

    @pytest.mark.parametrize(("own", "asked"), [(2, 5), (2, 1), (2, None)])
    async def test_the_workspaces_own_limit_wins(
        self, scene: Scene, store: JobStore, own: int, asked: int | None
    ) -> None:
        workspace = await scene.another_workspace(max_jobs=own)
        for _ in range(own):
            await store.create_job(make_job(workspace.id), max_jobs=asked, now=NOW)
        with pytest.raises(QuotaExceeded) as refused:
            await store.create_job(make_job(workspace.id), max_jobs=asked, now=NOW)
        assert refused.value.limit == own

    async def test_a_limit_of_zero_is_a_limit(self, scene: Scene, store: JobStore) -> None:
        with pytest.raises(QuotaExceeded):
            await store.create_job(make_job((await scene.workspace()).id), max_jobs=0, now=NOW)
        closed = await scene.another_workspace(max_jobs=0)
        with pytest.raises(QuotaExceeded):
            await store.create_job(make_job(closed.id), max_jobs=None, now=NOW)

    async def test_workspaces_do_not_share_it(self, scene: Scene) -> None:
        await scene.jobs(3)
        other = await scene.another_workspace()
        await scene.store.create_job(make_job(other.id), max_jobs=1, now=NOW)

    async def test_every_way_back_from_inactive_is_checked(self, scene: Scene) -> None:
        await scene.job()
        for status in (JobStatus.ACTIVE, JobStatus.PAUSED):
            job = await scene.job(**INACTIVE)
            with pytest.raises(QuotaExceeded):
                await self._change(scene, job, self._revived(job, status), max_jobs=1)
            assert await scene.job_now(job) == job
            assert await self._change(scene, job, self._revived(job, status), max_jobs=2)
            await scene.delete(job)

    async def test_what_counts_already_may_change_beyond_the_limit(self, scene: Scene) -> None:
        job, *_ = await scene.jobs(3)
        halted = paused(job, LATER)
        assert await self._change(scene, job, halted, max_jobs=1)
        assert await self._change(scene, halted, halted.changed(LATER, status=JobStatus.ACTIVE), max_jobs=1)

    async def test_what_stays_inactive_may_change_beyond_the_limit(self, scene: Scene) -> None:
        await scene.job()
        resting = await scene.job(**INACTIVE)
        assert await self._change(scene, resting, resting.changed(LATER, host="else.example"), max_jobs=1)

    async def test_a_stale_change_is_refused_as_such(self, scene: Scene) -> None:
        await scene.job()
        job = await scene.job(**INACTIVE)
        await scene.change(job, job.changed(LATER))
        assert not await self._change(scene, job, self._revived(job, JobStatus.ACTIVE), max_jobs=1)

    def _revived(self, job: Job, status: JobStatus) -> Job:
        return job.changed(LATER, status=status, inactive_reason=None)

    async def _change(self, scene: Scene, before: Job, after: Job, max_jobs: int) -> bool:
        return await scene.store.change_job(after, expected=before, cancel=None, max_jobs=max_jobs, now=LATER)


class StoredBytes(JobStoreSuite):
    async def test_they_are_those_of_jobs_that_are_not_deleted(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        assert await scene.store.stored_bytes(workspace_id) == 0
        assert await scene.store.stored_bytes((await scene.another_workspace()).id) == 0
        jobs = [
            await scene.job(payload=b'"0123456789"', metadata={"é": "è"}),
            await scene.job(status=JobStatus.PAUSED, headers=(("x-a", "b"),)),
            await scene.job(**INACTIVE, tags=("née",)),
        ]
        deleted = await scene.job(payload=b"1")
        await scene.delete(deleted)
        assert await scene.store.stored_bytes(workspace_id) == sum(job.definition.stored_bytes for job in jobs)

    async def test_the_limit_is_reached_exactly(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        first, second = make_job(workspace_id), make_job(workspace_id)
        limit = 2 * first.counted_bytes
        await scene.store.create_job(first, max_jobs=None, max_stored_bytes=limit, now=NOW)
        surplus = make_job(workspace_id, payload=b"null ")
        with pytest.raises(QuotaExceeded) as refused:
            await scene.store.create_job(surplus, max_jobs=None, max_stored_bytes=limit, now=NOW)
        assert (refused.value.limit, refused.value.quota) == (limit, Quota.STORED_BYTES)
        assert await scene.store.get_job(workspace_id, surplus.id) is None
        await scene.store.create_job(second, max_jobs=None, max_stored_bytes=limit, now=NOW)
        assert await scene.store.stored_bytes(workspace_id) == limit

    async def test_jobs_that_ended_go_on_counting(self, scene: Scene) -> None:
        job, execution = await scene.due_once()
        claim = await scene.claim(execution)
        await scene.store.finish([succeeded(claim, LATER)], LATER)
        assert (await scene.job_now(job)).status is JobStatus.INACTIVE
        limit = 2 * job.counted_bytes - 1
        with pytest.raises(QuotaExceeded):
            await scene.store.create_job(job_like(job), max_jobs=None, max_stored_bytes=limit, now=LATER)
        await scene.store.create_job(job_like(job), max_jobs=None, max_stored_bytes=limit + 1, now=LATER)

    async def test_jobs_that_are_pruned_leave_room(self, scene: Scene) -> None:
        job = await scene.job(**INACTIVE)
        limit = job.counted_bytes
        with pytest.raises(QuotaExceeded):
            await scene.store.create_job(job_like(job), max_jobs=None, max_stored_bytes=limit, now=LATER)
        assert await scene.store.prune_jobs(LATER, 10) == 1
        await scene.store.create_job(job_like(job), max_jobs=None, max_stored_bytes=limit, now=LATER + MINUTE)
        assert await scene.store.stored_bytes(job.workspace_id) == limit

    async def test_a_deleted_job_leaves_room_at_once(self, scene: Scene) -> None:
        for _ in range(3):
            job = make_job((await scene.workspace()).id)
            await scene.store.create_job(job, max_jobs=None, max_stored_bytes=job.counted_bytes, now=NOW)
            with pytest.raises(QuotaExceeded):
                await scene.store.create_job(job_like(job), max_jobs=None, max_stored_bytes=job.counted_bytes, now=NOW)
            await scene.delete(job)

    async def test_a_change_needs_room_for_what_it_adds(self, scene: Scene) -> None:
        job = await scene.job()
        limit = job.counted_bytes + 2
        wide, too_wide = (job.changed(LATER, definition=make_definition(payload=b"x" * n)) for n in (6, 7))
        with pytest.raises(QuotaExceeded) as refused:
            await self._change(scene, job, too_wide, limit)
        assert refused.value.quota is Quota.STORED_BYTES
        assert await scene.job_now(job) == job
        assert await self._change(scene, job, wide, limit)
        assert await scene.store.stored_bytes(job.workspace_id) == limit
        back = wide.changed(LATER, definition=job.definition)
        assert await self._change(scene, wide, back, limit)
        assert await scene.store.stored_bytes(job.workspace_id) == job.counted_bytes

    async def test_what_does_not_grow_may_change_beyond_the_limit(self, scene: Scene) -> None:
        job = await scene.job()
        assert await self._change(scene, job, job.changed(LATER, host="else.example"), 1)

    async def test_workspaces_do_not_share_the_room(self, scene: Scene) -> None:
        await scene.jobs(3)
        other = make_job((await scene.another_workspace()).id)
        await scene.store.create_job(other, max_jobs=None, max_stored_bytes=other.counted_bytes, now=NOW)

    async def test_a_creation_that_is_refused_does_not_stand_in_the_way_of_a_smaller_one(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        small = [make_job(workspace_id) for _ in range(3)]
        large = make_job(workspace_id, payload=b"x" * 1000)
        together = [small[0], large, small[1], small[2]]
        limit = 2 * small[0].counted_bytes
        outcomes = await asyncio.gather(
            *(scene.store.create_job(job, max_jobs=None, max_stored_bytes=limit, now=NOW) for job in together),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [type(None), QuotaExceeded, type(None), QuotaExceeded]

    async def _change(self, scene: Scene, before: Job, after: Job, limit: int) -> bool:
        return await scene.store.change_job(
            after, expected=before, cancel=None, max_jobs=None, max_stored_bytes=limit, now=LATER
        )


def job_like(job: Job) -> Job:
    """A new job with the same definition."""
    return evolve(make_job(job.workspace_id), definition=job.definition)

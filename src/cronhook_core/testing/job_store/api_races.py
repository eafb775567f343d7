"""What holds when requests of users meet each other."""

from __future__ import annotations

import asyncio

from cronhook_core.domain.execution import Execution
from cronhook_core.domain.idempotency import IdempotentRequest, StoredAnswer
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.errors import AlreadyAnswered, IdempotencyMismatch, NotFound, QuotaExceeded
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import (
    MINUTE,
    NOW,
    answer_with_id,
    make_execution,
    make_idempotent_request,
    make_job,
    make_workspace,
    succeeded,
)
from cronhook_core.testing.job_store.racing import ROUNDS, race, several
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, OpenStore, Scene


class ApiRaces(JobStoreSuite):
    async def test_the_quota_is_reached_exactly_however_many_create(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        workspace_id = (await scene.workspace()).id

        async def create(store: JobStore) -> bool:
            try:
                await store.create_job(make_job(workspace_id), max_jobs=10, now=NOW)
            except QuotaExceeded:
                return False
            return True

        created = await asyncio.gather(*(create(stores[n % 4]) for n in range(50)))
        assert sum(created) == 10
        assert await scene.store.count_jobs(workspace_id) == 10

    async def test_the_stored_bytes_reach_their_limit_exactly_however_many_create(
        self, scene: Scene, open_store: OpenStore
    ) -> None:
        stores = await several(scene, open_store, 4)
        jobs = [make_job((await scene.workspace()).id) for _ in range(40)]
        limit = 10 * jobs[0].counted_bytes

        async def create(store: JobStore, job: Job) -> bool:
            try:
                await store.create_job(job, max_jobs=None, max_stored_bytes=limit, now=NOW)
            except QuotaExceeded:
                return False
            return True

        created = await asyncio.gather(*(create(stores[n % 4], job) for n, job in enumerate(jobs)))
        assert sum(created) == 10
        assert await scene.store.stored_bytes(jobs[0].workspace_id) == limit

    async def test_the_quota_holds_for_ways_back_from_inactive(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        jobs = await scene.jobs(12, status=JobStatus.INACTIVE, inactive_reason=InactiveReason.COMPLETED)

        async def revive(store: JobStore, job: Job) -> bool:
            revived = job.changed(NOW, status=JobStatus.ACTIVE, inactive_reason=None)
            try:
                return await store.change_job(revived, expected=job, cancel=None, max_jobs=5, now=NOW)
            except QuotaExceeded:
                return False

        revived = await asyncio.gather(*(revive(stores[n % 4], job) for n, job in enumerate(jobs)))
        assert sum(revived) == 5
        assert await scene.store.count_jobs(jobs[0].workspace_id) == 5

    async def test_creations_that_come_together_each_have_their_own_outcome(self, scene: Scene) -> None:
        workspace_id, other_id = (await scene.workspace()).id, (await scene.another_workspace()).id
        first, second, surplus = (make_job(workspace_id) for _ in range(3))
        resting = make_job(workspace_id, status=JobStatus.INACTIVE, inactive_reason=InactiveReason.COMPLETED)
        elsewhere, nowhere = make_job(other_id), make_job(make_workspace().id)
        together = [first, resting, second, first, surplus, elsewhere, nowhere]
        outcomes = await asyncio.gather(
            *(scene.store.create_job(job, max_jobs=2, now=NOW) for job in together), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [*[type(None)] * 4, QuotaExceeded, type(None), NotFound]
        stored = [first, resting, second, elsewhere]
        assert [await scene.store.get_job(job.workspace_id, job.id) for job in stored] == stored
        assert await scene.store.get_job(workspace_id, surplus.id) is None

    async def test_creations_that_come_together_with_keys_are_answered_as_one_after_the_other(
        self, scene: Scene
    ) -> None:
        workspace_id = (await scene.workspace()).id
        requests = [
            make_idempotent_request(key="one"),
            make_idempotent_request(key="one"),
            make_idempotent_request(key="one", fingerprint=b"another"),
            make_idempotent_request(key="two"),
            None,
            make_idempotent_request(key="three"),
            make_idempotent_request(key="three"),
        ]
        jobs = [make_job(workspace_id) for _ in requests]
        answers = await asyncio.gather(
            *(self._create(scene.store, job, request, max_jobs=3) for job, request in zip(jobs, requests, strict=True))
        )
        assert answers == [None, answer_with_id(jobs[0]), "mismatch", None, None, "quota", "quota"]
        assert await self._create(scene.store, jobs[5], requests[5], max_jobs=4) is None
        assert await self._create(scene.store, jobs[6], requests[6], max_jobs=4) == answer_with_id(jobs[5])

    async def test_a_creation_that_is_tried_again_is_no_repeat(self, scene: Scene) -> None:
        job, request = make_job((await scene.workspace()).id), make_idempotent_request()
        for _ in range(2):
            await scene.store.create_job(job, max_jobs=1, now=NOW, idempotency=request)
        assert await scene.store.count_jobs(job.workspace_id) == 1

    async def test_reads_that_come_together_each_get_their_own(self, scene: Scene) -> None:
        jobs, gone = await scene.jobs(3), await scene.job()
        await scene.delete(gone)
        other = await scene.another_workspace()
        elsewhere = make_job(other.id)
        await scene.store.create_job(elsewhere, max_jobs=None, now=NOW)
        workspace_id = jobs[0].workspace_id
        asked = [
            *((workspace_id, job.id) for job in (*jobs, *jobs, gone, elsewhere, make_job(workspace_id))),
            *((other.id, job.id) for job in (elsewhere, *jobs)),
        ]
        found = await asyncio.gather(*(scene.store.get_job(*one) for one in asked))
        assert found == [*jobs, *jobs, None, None, None, elsewhere, None, None, None]

    async def test_of_changes_made_at_once_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        job = await scene.job()
        versions = [job.changed(LATER, host=f"host-{n}.example") for n in range(8)]
        changed = await asyncio.gather(
            *(
                stores[n % 4].change_job(version, expected=job, cancel=None, max_jobs=None, now=LATER)
                for n, version in enumerate(versions)
            )
        )
        assert sum(changed) == 1
        assert await scene.job_now(job) == versions[changed.index(True)]

    async def test_one_key_has_one_effect(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        workspace_id = (await scene.workspace()).id
        request = make_idempotent_request()
        answers = await asyncio.gather(
            *(self._create(stores[n % 4], make_job(workspace_id), request) for n in range(12))
        )
        assert answers.count(None) == 1
        assert await scene.store.count_jobs(workspace_id) == 1
        [job] = [due.id for due in await scene.store.due_jobs(LATER, 10)]
        assert {answer.body for answer in answers if isinstance(answer, StoredAnswer)} == {job.encode()}

    async def test_one_key_with_several_bodies_has_one_effect(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        workspace_id = (await scene.workspace()).id
        requests = [make_idempotent_request(key="the same", fingerprint=bytes([n])) for n in range(12)]
        answers = await asyncio.gather(
            *(self._create(stores[n % 4], make_job(workspace_id), request) for n, request in enumerate(requests))
        )
        assert sorted(map(str, answers)) == ["None", *["mismatch"] * 11]
        assert await scene.store.count_jobs(workspace_id) == 1

    async def test_what_is_pruned_is_pruned_once(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(30)]
        await scene.store.finish([succeeded(claim) for claim in claims], LATER)
        await scene.queued(job, at=LATER)
        pruned = await asyncio.gather(*(store.prune(LATER + MINUTE, 100, now=LATER + MINUTE) for store in stores))
        assert sum(pruned) == 30
        assert len(await scene.store.list_executions(job.workspace_id, job.id, limit=100)) == 1

    async def test_a_job_is_run_or_pruned_but_never_both(self, scene: Scene, open_store: OpenStore) -> None:
        runner, pruner = await several(scene, open_store, 2)
        await scene.workspace()
        outcomes = await race(
            (self._run_ended(scene, runner), pruner.prune_jobs(LATER, 100)) for _ in range(2 * ROUNDS)
        )
        for (execution, was_run), _ in outcomes:
            stored = await scene.store.get_job(execution.workspace_id, execution.job_id)
            found = await scene.store.get_execution(execution.workspace_id, execution.id)
            assert (stored is not None, found is not None) == (was_run, was_run)

    async def _run_ended(self, scene: Scene, store: JobStore) -> tuple[Execution, bool]:
        job = await scene.job(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=None)
        execution = make_execution(job)
        try:
            await store.add_execution(execution, now=NOW)
        except NotFound:
            return execution, False
        return execution, True

    async def _create(
        self, store: JobStore, job: Job, request: IdempotentRequest | None, max_jobs: int | None = None
    ) -> StoredAnswer | str | None:
        try:
            await store.create_job(job, max_jobs=max_jobs, now=NOW, idempotency=request)
        except AlreadyAnswered as repeated:
            return repeated.answer
        except IdempotencyMismatch:
            return "mismatch"
        except QuotaExceeded:
            return "quota"
        return None

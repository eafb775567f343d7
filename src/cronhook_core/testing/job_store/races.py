"""What holds when several processes act at once, each with its own connections to one store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import pytest

from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.idempotency import IdempotentRequest, StoredAnswer
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.job_changes import deleted, paused
from cronhook_core.errors import AlreadyAnswered, IdempotencyMismatch, QuotaExceeded
from cronhook_core.ports.job_catalog import CancelQueued
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import (
    MINUTE,
    NOW,
    gave_up,
    gone,
    make_idempotent_request,
    make_job,
    make_plan,
    retry,
    succeeded,
)
from cronhook_core.testing.job_store.scene import DELETING, LATER, PAUSING, JobStoreSuite, OpenStore, Scene

FIRST = NOW + MINUTE
ROUNDS = 12
"""How often two acts are let loose on each other, on a job of their own each time."""

Stop = Callable[[Job, datetime], Job]
Requeue = Callable[[JobStore, Claim], Awaitable[object]]


async def several(scene: Scene, open_store: OpenStore, count: int) -> list[JobStore]:
    return [scene.store, *[await open_store() for _ in range(count - 1)]]


async def insist(store: JobStore, job: Job, step: Stop, cancel: CancelQueued) -> None:
    """Change a job as often as it takes, as the job service does."""
    while (stored := await store.get_job(job.workspace_id, job.id)) is not None:
        changed = step(stored, LATER)
        if await store.change_job(changed, expected=stored, cancel=cancel, max_jobs=None, now=LATER):
            return


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

    @pytest.mark.parametrize(("step", "cancel"), [(deleted, DELETING), (paused, PAUSING)])
    async def test_nothing_stays_queued_of_a_job_stopped_beside_its_plan(
        self, scene: Scene, open_store: OpenStore, step: Stop, cancel: CancelQueued
    ) -> None:
        planner, api = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        await asyncio.gather(
            *(insist(api, job, step, cancel) for job in jobs),
            *(planner.plan([make_plan(job)], FIRST) for job in jobs),
        )
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
        jobs = await scene.jobs(ROUNDS)
        claims = [await scene.running(job) for job in jobs]
        await asyncio.gather(
            *(planner.plan([make_plan(job)], FIRST) for job in jobs),
            *(worker.finish([gone(claim)], LATER) for claim in claims),
        )
        assert list(await scene.store.ready(LATER, 100)) == []
        assert list(await scene.store.due_jobs(LATER, 100)) == []
        assert {(await scene.job_now(job)).inactive_reason for job in jobs} == {InactiveReason.GONE}

    async def test_of_an_edit_and_a_plan_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        planner, api = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        outcomes = await asyncio.gather(*(self._edit_and_plan(api, planner, job) for job in jobs))
        for job, (edited, queued) in zip(jobs, outcomes, strict=True):
            assert edited is not bool(queued)
            stored = await scene.job_now(job)
            assert stored.next_run == (LATER if edited else FIRST + MINUTE)
            assert len(await scene.store.list_executions(job.workspace_id, job.id, limit=10)) == len(queued)

    async def _edit_and_plan(self, api: JobStore, planner: JobStore, job: Job) -> tuple[bool, Sequence[str]]:
        edited = job.changed(NOW, next_run=LATER)
        return await asyncio.gather(
            api.change_job(edited, expected=job, cancel=None, max_jobs=None, now=NOW),
            planner.plan([make_plan(job)], FIRST),
        )


class ClaimRaces(JobStoreSuite):
    async def test_four_claimers_get_each_execution_once(self, scene: Scene, open_store: OpenStore) -> None:
        jobs = await scene.jobs(3)
        names = [(await scene.queued(jobs[n % 3])).id for n in range(60)]
        workers = [(store, await scene.worker()) for store in await several(scene, open_store, 4)]
        answers = await asyncio.gather(
            *(
                store.claim((names if turn % 2 else names[::-1])[turn:40], worker_id=worker_id, now=LATER)
                for turn in range(6)
                for store, worker_id in workers
            )
        )
        claims = [claim for answer in answers for claim in answer]
        assert Counter(claim.execution_id for claim in claims).most_common(1)[0][1] == 1
        assert {claim.attempt_no for claim in claims} == {1}
        held = [await scene.store.running(worker_id) for _, worker_id in workers]
        assert {ref for refs in held for ref in refs} == {claim.ref for claim in claims}
        page, total = await scene.store.list_attempts(jobs[0].workspace_id, jobs[0].id, offset=0, limit=100)
        assert total == len([claim for claim in claims if claim.job_id == jobs[0].id]) == len(page)

    async def test_what_nobody_else_took_is_claimed(self, scene: Scene, open_store: OpenStore) -> None:
        job = await scene.job()
        names = [(await scene.queued(job)).id for _ in range(60)]
        workers = [(store, await scene.worker()) for store in await several(scene, open_store, 4)]
        left = set(names)
        while left:
            wanted = sorted(left)
            answers = await asyncio.gather(
                *(store.claim(wanted, worker_id=worker_id, now=LATER) for store, worker_id in workers)
            )
            taken = {claim.execution_id for answer in answers for claim in answer}
            assert taken
            left -= taken

    @pytest.mark.parametrize(("step", "cancel"), [(deleted, DELETING), (paused, PAUSING)])
    async def test_a_stop_and_a_claim_leave_nothing_queued(
        self, scene: Scene, open_store: OpenStore, step: Stop, cancel: CancelQueued
    ) -> None:
        worker, api = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        executions = [await scene.planned(job) for job in jobs]
        worker_id = await scene.worker()
        answers = await asyncio.gather(
            *(worker.claim([execution.id], worker_id=worker_id, now=LATER) for execution in executions),
            *(insist(api, job, step, cancel) for job in jobs),
        )
        for execution, claims in zip(executions, answers[:ROUNDS], strict=True):
            stored = await scene.now_of(execution)
            assert isinstance(claims, Sequence)
            assert stored.status is (ExecutionStatus.RUNNING if claims else ExecutionStatus.CANCELLED)
            if claims:
                [verdict] = await worker.finish([retry(claims[0])], LATER)
                assert (verdict.status, verdict.reason) == (ExecutionStatus.CANCELLED, cancel.reason)

    async def test_of_a_cancel_and_a_claim_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        worker, api = await several(scene, open_store, 2)
        job, worker_id = await scene.job(), await scene.worker()
        executions = [await scene.queued(job) for _ in range(ROUNDS)]
        outcomes = await asyncio.gather(
            *(
                asyncio.gather(
                    api.cancel_execution(job.workspace_id, execution.id, now=LATER),
                    worker.claim([execution.id], worker_id=worker_id, now=LATER),
                )
                for execution in executions
            )
        )
        for execution, (cancelled, claims) in zip(executions, outcomes, strict=True):
            assert (cancelled is None) is bool(claims)
            expected = ExecutionStatus.RUNNING if claims else ExecutionStatus.CANCELLED
            assert (await scene.now_of(execution)).status is expected

    async def test_a_worker_buried_beside_its_claim_leaves_nothing_behind(
        self, scene: Scene, open_store: OpenStore
    ) -> None:
        worker, leader = await several(scene, open_store, 2)
        job = await scene.job()
        for _ in range(ROUNDS):
            worker_id = await scene.worker()
            names = [(await scene.queued(job)).id for _ in range(3)]
            claims, buried = await asyncio.gather(
                worker.claim(names, worker_id=worker_id, now=LATER), leader.bury_worker(worker_id, 0, LATER)
            )
            assert buried
            lost = await leader.lose_abandoned(LATER, 10)
            assert {v.execution_id for v in lost} == {claim.execution_id for claim in claims}
            assert list(await leader.running(worker_id)) == []
            assert list(await worker.claim(names, worker_id=worker_id, now=LATER)) == []

    async def test_of_a_beat_and_a_burial_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        worker, leader = await several(scene, open_store, 2)
        workers = [await scene.worker() for _ in range(ROUNDS)]
        outcomes = await asyncio.gather(
            *(asyncio.gather(worker.beat(w, LATER), leader.bury_worker(w, 0, LATER)) for w in workers)
        )
        assert all(beat is not buried for beat, buried in outcomes)


async def _finish(store: JobStore, claim: Claim) -> object:
    return await store.finish([retry(claim, NOW)], LATER)


async def _lose(store: JobStore, claim: Claim) -> object:
    return await store.lose([claim.ref], LATER)


async def _release(store: JobStore, claim: Claim) -> object:
    return await store.release([claim.ref], LATER)


class ResultRaces(JobStoreSuite):
    @pytest.mark.parametrize("requeue", [_finish, _lose, _release])
    @pytest.mark.parametrize(("step", "cancel"), [(deleted, DELETING), (paused, PAUSING)])
    async def test_nothing_is_queued_again_beside_a_stop(
        self, scene: Scene, open_store: OpenStore, requeue: Requeue, step: Stop, cancel: CancelQueued
    ) -> None:
        worker, api = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        claims = [await scene.running(job, Trigger.SCHEDULE) for job in jobs]
        await asyncio.gather(
            *(requeue(worker, claim) for claim in claims), *(insist(api, job, step, cancel) for job in jobs)
        )
        for claim in claims:
            stored = await scene.now_of(claim)
            assert (stored.status, stored.reason) == (ExecutionStatus.CANCELLED, cancel.reason)

    async def test_one_result_is_accepted_once(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(ROUNDS)]
        reports = [retry(claim, LATER) for claim in claims]
        answers = await asyncio.gather(
            *(store.finish(reports if n % 2 else reports[::-1], LATER) for n, store in enumerate(stores))
        )
        accepted = Counter(verdict.execution_id for answer in answers for verdict in answer if verdict.accepted)
        assert accepted == Counter(claim.execution_id for claim in claims)
        for claim in claims:
            assert (await scene.now_of(claim)).retries_used == 1

    async def test_a_success_wins_over_the_loss_of_its_worker(self, scene: Scene, open_store: OpenStore) -> None:
        worker, leader = await several(scene, open_store, 2)
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(ROUNDS)]
        await asyncio.gather(
            worker.finish([succeeded(claim) for claim in claims], LATER),
            leader.lose([claim.ref for claim in claims[::-1]], LATER),
        )
        for claim in claims:
            assert (await scene.now_of(claim)).status is ExecutionStatus.SUCCEEDED
            assert [attempt.status for attempt in await scene.attempts(claim)] == ["succeeded"]

    async def test_of_a_failure_and_a_loss_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        worker, leader = await several(scene, open_store, 2)
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(ROUNDS)]
        finished, lost = await asyncio.gather(
            worker.finish([retry(claim, LATER) for claim in claims], LATER),
            leader.lose([claim.ref for claim in claims], LATER),
        )
        for claim, one, other in zip(claims, finished, lost, strict=True):
            assert one.accepted is not other.accepted
            stored = await scene.now_of(claim)
            assert (stored.retries_used, stored.losses) == ((1, 0) if one.accepted else (0, 1))

    async def test_abandoned_executions_are_lost_once(self, scene: Scene, open_store: OpenStore) -> None:
        leaders = await several(scene, open_store, 4)
        job, worker_id = await scene.job(), await scene.worker()
        claims = [await scene.running(job, worker_id=worker_id) for _ in range(ROUNDS)]
        await scene.bury(worker_id)
        answers = await asyncio.gather(*(store.lose_abandoned(LATER, 100) for store in leaders))
        accepted = Counter(verdict.execution_id for answer in answers for verdict in answer if verdict.accepted)
        assert accepted == Counter(claim.execution_id for claim in claims)
        assert {(await scene.now_of(claim)).losses for claim in claims} == {1}

    async def test_batches_over_the_same_jobs_do_not_block_each_other(
        self, scene: Scene, open_store: OpenStore
    ) -> None:
        stores = await several(scene, open_store, 4)
        jobs = await scene.jobs(8)
        claims = [await scene.running(jobs[n % 8]) for n in range(32)]
        by_store = [claims[n::4] if n % 2 else claims[n::4][::-1] for n in range(4)]
        plans = [make_plan(job) for job in jobs]
        ends = (gave_up, gone, retry, succeeded)
        await asyncio.gather(
            *(
                store.finish([end(claim) for claim in mine], LATER)
                for store, mine, end in zip(stores, by_store, ends, strict=True)
            ),
            *(store.plan(plans if n % 2 else plans[::-1], FIRST) for n, store in enumerate(stores)),
            *(store.lose([claim.ref for claim in claims[::-1]], LATER) for store in stores[:2]),
            *(insist(stores[n % 4], job, deleted, DELETING) for n, job in enumerate(jobs)),
        )
        assert list(await scene.store.ready(LATER + MINUTE, 100)) == []
        for claim in claims:
            assert (await scene.now_of(claim)).status.is_final


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
        answers = await asyncio.gather(*(self._create(stores[n % 4], workspace_id, request) for n in range(12)))
        assert answers.count(None) == 1
        assert await scene.store.count_jobs(workspace_id) == 1
        [job] = [due.id for due in await scene.store.due_jobs(LATER, 10)]
        assert {answer.body for answer in answers if isinstance(answer, StoredAnswer)} == {job.encode()}

    async def test_one_key_with_several_bodies_has_one_effect(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        workspace_id = (await scene.workspace()).id
        requests = [make_idempotent_request(key="the same", fingerprint=bytes([n])) for n in range(12)]
        answers = await asyncio.gather(
            *(self._create(stores[n % 4], workspace_id, request) for n, request in enumerate(requests))
        )
        assert sorted(map(str, answers)) == ["None", *["mismatch"] * 11]
        assert await scene.store.count_jobs(workspace_id) == 1

    async def test_what_is_pruned_is_pruned_once(self, scene: Scene, open_store: OpenStore) -> None:
        stores = await several(scene, open_store, 4)
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(30)]
        await scene.store.finish([succeeded(claim) for claim in claims], LATER)
        await scene.queued(job, at=LATER)
        pruned = await asyncio.gather(*(store.prune(LATER + MINUTE, 100) for store in stores))
        assert sum(pruned) == 30
        assert len(await scene.store.list_executions(job.workspace_id, job.id, limit=100)) == 1

    async def _create(
        self, store: JobStore, workspace_id: str, request: IdempotentRequest
    ) -> StoredAnswer | str | None:
        try:
            await store.create_job(make_job(workspace_id), max_jobs=None, now=NOW, idempotency=request)
        except AlreadyAnswered as repeated:
            return repeated.answer
        except IdempotencyMismatch:
            return "mismatch"
        return None

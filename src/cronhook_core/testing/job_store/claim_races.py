"""What holds when several workers claim at once, and beside the API and the reaper."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from cronhook_core.domain.claim import Claim, Verdict
from cronhook_core.domain.execution import SUSPECT_LOSSES, ExecutionStatus
from cronhook_core.ports.job_catalog import CancelQueued
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import retry
from cronhook_core.testing.job_store.racing import ROUNDS, Stop, either_stop, insist, race, several
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, OpenStore, Scene

UNDER_WAY = 0.004
"""Seconds after which a burial starts: the claim beside it starts before or after."""


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

    @either_stop
    async def test_a_stop_and_a_claim_leave_nothing_queued(
        self, scene: Scene, open_store: OpenStore, step: Stop, cancel: CancelQueued
    ) -> None:
        worker, api = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        executions = [await scene.planned(job) for job in jobs]
        worker_id = await scene.worker()
        outcomes = await race(
            (insist(api, job, step, cancel), worker.claim([execution.id], worker_id=worker_id, now=LATER))
            for job, execution in zip(jobs, executions, strict=True)
        )
        for execution, (_, claims) in zip(executions, outcomes, strict=True):
            stored = await scene.now_of(execution)
            assert stored.status is (ExecutionStatus.RUNNING if claims else ExecutionStatus.CANCELLED)
            if claims:
                [verdict] = await worker.finish([retry(claims[0])], LATER)
                assert (verdict.status, verdict.reason) == (ExecutionStatus.CANCELLED, cancel.reason)

    async def test_of_a_cancel_and_a_claim_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        worker, api = await several(scene, open_store, 2)
        job, worker_id = await scene.job(), await scene.worker()
        executions = [await scene.queued(job) for _ in range(ROUNDS)]
        outcomes = await race(
            (
                api.cancel_execution(job.workspace_id, execution.id, now=LATER),
                worker.claim([execution.id], worker_id=worker_id, now=LATER),
            )
            for execution in executions
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
        for number in range(ROUNDS // 2):
            if number % SUSPECT_LOSSES == 0:
                names = [(await scene.queued(job)).id for _ in range(60)]
            worker_id = await scene.worker()
            [(lost, claims)] = await race([(self._bury(leader, worker_id), self._claim(worker, worker_id, names))])
            assert {verdict.execution_id for verdict in lost} == {claim.execution_id for claim in claims}
            assert list(await leader.running(worker_id)) == []
            assert list(await worker.claim(names, worker_id=worker_id, now=LATER)) == []

    async def test_of_a_beat_and_a_burial_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        worker, leader = await several(scene, open_store, 2)
        workers = [await scene.worker() for _ in range(ROUNDS)]
        outcomes = await race((worker.beat(name, LATER), leader.bury_worker(name, 0, LATER)) for name in workers)
        assert all(beat is not buried for beat, buried in outcomes)

    async def _bury(self, leader: JobStore, worker_id: str) -> Sequence[Verdict]:
        """Bury a worker as soon as the claim beside it is under way, and take from it what it held."""
        await asyncio.sleep(UNDER_WAY)
        assert await leader.bury_worker(worker_id, 0, LATER)
        return await leader.lose_abandoned(LATER, 100)

    async def _claim(self, worker: JobStore, worker_id: str, names: list[str]) -> list[Claim]:
        """Claim a few at a time, so that some claims are under way at any moment."""
        few = [names[start : start + 15] for start in range(0, len(names), 15)]
        answers = await asyncio.gather(*(worker.claim(some, worker_id=worker_id, now=LATER) for some in few))
        return [claim for answer in answers for claim in answer]

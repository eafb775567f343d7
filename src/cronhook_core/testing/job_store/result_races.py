"""What holds when results, losses, interruptions and releases meet each other and what users do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job_changes import deleted
from cronhook_core.ports.job_catalog import CancelQueued
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, gave_up, gone, make_plan, retry, succeeded
from cronhook_core.testing.job_store.racing import (
    ROUNDS,
    Stop,
    either_stop,
    hand_back,
    insist,
    race,
    report_all,
    several,
)
from cronhook_core.testing.job_store.scene import DELETING, FIRST, LATER, JobStoreSuite, OpenStore, Scene

Requeue = Callable[[JobStore, Claim], Coroutine[Any, Any, object]]


async def _finish(store: JobStore, claim: Claim) -> object:
    return await report_all(store, [retry(claim, NOW)])


async def _lose(store: JobStore, claim: Claim) -> object:
    return await hand_back(store.lose, claim)


async def _interrupt(store: JobStore, claim: Claim) -> object:
    return await hand_back(store.interrupt, claim)


async def _release(store: JobStore, claim: Claim) -> object:
    return await hand_back(store.release, claim)


class ResultRaces(JobStoreSuite):
    @pytest.mark.parametrize("requeue", [_finish, _lose, _interrupt, _release])
    @either_stop
    async def test_nothing_is_queued_again_beside_a_stop(
        self, scene: Scene, open_store: OpenStore, requeue: Requeue, step: Stop, cancel: CancelQueued
    ) -> None:
        worker, api = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        claims = [await scene.running(job, Trigger.SCHEDULE) for job in jobs]
        await race(
            (insist(api, job, step, cancel), requeue(worker, claim)) for job, claim in zip(jobs, claims, strict=True)
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
            *(report_all(store, reports if n % 2 else reports[::-1]) for n, store in enumerate(stores))
        )
        accepted = Counter(verdict.execution_id for answer in answers for verdict in answer if verdict.accepted)
        assert accepted == Counter(claim.execution_id for claim in claims)
        for claim in claims:
            assert (await scene.now_of(claim)).retries_used == 1

    async def test_a_success_wins_over_the_loss_of_its_worker(self, scene: Scene, open_store: OpenStore) -> None:
        worker, leader = await several(scene, open_store, 2)
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(ROUNDS)]
        await race((report_all(worker, [succeeded(claim)]), hand_back(leader.lose, claim)) for claim in claims[::2])
        await race((hand_back(leader.lose, claim), report_all(worker, [succeeded(claim)])) for claim in claims[1::2])
        for claim in claims:
            assert (await scene.now_of(claim)).status is ExecutionStatus.SUCCEEDED
            assert [attempt.status for attempt in await scene.attempts(claim)] == ["succeeded"]

    async def test_of_a_failure_and_a_loss_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        worker, leader = await several(scene, open_store, 2)
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(ROUNDS)]
        outcomes = await race(
            (report_all(worker, [retry(claim, LATER)]), hand_back(leader.lose, claim)) for claim in claims
        )
        for claim, ([one], [other]) in zip(claims, outcomes, strict=True):
            assert one.accepted is not other.accepted
            stored = await scene.now_of(claim)
            assert (stored.retries_used, stored.losses) == ((1, 0) if one.accepted else (0, 1))

    async def test_what_is_locked_is_not_written_and_keeps_no_other_result_from_being_written(
        self, scene: Scene, open_store: OpenStore
    ) -> None:
        worker, api = await several(scene, open_store, 2)
        busy = await scene.job()
        claims = [(await scene.running(busy), await scene.running(job)) for job in await scene.jobs(ROUNDS)]
        outcomes = await race(
            (
                insist(api, busy, lambda stored, now: stored.changed(now), None),
                worker.finish([retry(one, LATER), retry(other, LATER)], LATER),
            )
            for one, other in claims
        )
        for pair, (_, verdicts) in zip(claims, outcomes, strict=True):
            assert not verdicts[1].locked
            for claim, verdict in zip(pair, verdicts, strict=True):
                expected = ExecutionStatus.RUNNING if verdict.locked else ExecutionStatus.QUEUED
                assert (await scene.now_of(claim)).status is expected
                assert verdict.accepted is not verdict.locked
                assert len(await scene.attempts(claim)) == 1

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
                report_all(store, [end(claim) for claim in mine])
                for store, mine, end in zip(stores, by_store, ends, strict=True)
            ),
            *(store.plan(plans if n % 2 else plans[::-1], FIRST) for n, store in enumerate(stores)),
            *(store.lose([claim.ref for claim in claims[::-1]], LATER) for store in stores[:2]),
            *(insist(stores[n % 4], job, deleted, DELETING) for n, job in enumerate(jobs)),
        )
        assert list(await scene.store.ready(LATER + MINUTE, 100)) == []
        for claim in claims:
            assert (await scene.now_of(claim)).status.is_final

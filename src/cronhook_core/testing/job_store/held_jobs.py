"""A job that another transaction holds: it waits, and nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from cronhook_core.domain.claim import Claim
from cronhook_core.testing.builders import make_due_job, make_plan
from cronhook_core.testing.job_store.scene import FIRST, LATER, HoldJob, JobStoreSuite, Scene


class HeldJobs(JobStoreSuite):
    async def test_a_plan_skips_it(self, scene: Scene, hold_job: HoldJob) -> None:
        held, *others = await scene.jobs(5)
        plans = {job.id: make_plan(job) for job in (held, *others)}
        ids = {job_id: plan.execution.id for job_id, plan in plans.items() if plan.execution}
        async with hold_job(held):
            during = list(await scene.store.plan(list(plans.values()), FIRST))
        assert {ids[job.id] for job in others} <= set(during)
        after = list(await scene.store.plan(list(plans.values()), FIRST))
        assert sorted(during + after) == sorted(ids.values())

    async def test_it_stays_due(self, scene: Scene, hold_job: HoldJob) -> None:
        held = await scene.job()
        async with hold_job(held):
            skipped = not await scene.store.plan([make_plan(held)], FIRST)
        assert list(await scene.store.due_jobs(FIRST, 10)) == [make_due_job(held)] * skipped

    async def test_a_plan_that_waits_is_made_once_it_is_free(self, scene: Scene, hold_job: HoldJob) -> None:
        held = await scene.job()
        plan = make_plan(held)
        async with hold_job(held):
            planning = asyncio.create_task(scene.store.plan([plan], FIRST, wait=True))
            await scene.store.due_jobs(FIRST, 10)
        assert plan.execution is not None
        assert list(await planning) == [plan.execution.id]

    async def test_its_abandoned_executions_keep_no_other_from_being_lost(
        self, scene: Scene, hold_job: HoldJob
    ) -> None:
        worker_id = await scene.worker()
        held, *others = await scene.jobs(4)
        waiting = [await scene.running(held, worker_id=worker_id) for _ in range(3)]
        free = [await scene.running(job, worker_id=worker_id) for job in others]
        await scene.bury(worker_id)
        async with hold_job(held):
            during = await self._lose_all(scene)
        assert _ids(free) <= set(during)
        after = await self._lose_all(scene)
        assert sorted(during + after) == sorted(_ids([*waiting, *free]))
        assert list(await scene.store.running(worker_id)) == []

    @pytest.mark.parametrize("way", ["release", "interrupt", "lose"])
    async def test_its_executions_keep_no_other_from_being_handed_back(
        self, scene: Scene, hold_job: HoldJob, way: str
    ) -> None:
        worker_id = await scene.worker()
        held, *others = await scene.jobs(3)
        claims = [await scene.running(job, worker_id=worker_id) for job in (held, *others)]
        refs, hand_back = [claim.ref for claim in claims], getattr(scene.store, way)
        async with hold_job(held):
            during = await hand_back(refs, LATER)
        assert [verdict.accepted for verdict in during[1:]] == [True, True]
        assert during[0].accepted is not during[0].locked
        left = [ref for ref, verdict in zip(refs, during, strict=True) if verdict.locked]
        assert all(verdict.accepted for verdict in await hand_back(left, LATER))
        assert list(await scene.store.running(worker_id)) == []

    async def _lose_all(self, scene: Scene) -> list[str]:
        """What is lost two at a time, until nothing more is found."""
        lost: list[str] = []
        while verdicts := await scene.store.lose_abandoned(LATER, 2):
            lost += [verdict.execution_id for verdict in verdicts]
        return lost


def _ids(claims: Iterable[Claim]) -> set[str]:
    return {claim.execution_id for claim in claims}

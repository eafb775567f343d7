"""Rows of jobs that a foreign session holds, with and without the time limits that a pooler does not pass on."""

import asyncio
from random import Random

import pytest

from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import Job
from cronhook_core.engine.job_service import JobService
from cronhook_core.errors import StoreBusy
from cronhook_core.testing.builders import make_plan
from cronhook_core.testing.job_store.scene import FIRST, LATER, Scene
from cronhook_core.testing.manual_clock import ManualClock
from tests.integration.postgres.nodes import Open, locked, observed, takes_less_than, waiting


def row_of(job: Job) -> str:
    return f"SELECT FROM jobs WHERE id = '{job.id}' FOR UPDATE"


@pytest.fixture(params=[False, True], ids=["direct", "as through a pooler"])
async def planner(request: pytest.FixtureRequest, open_database: Open) -> PostgresJobStore:
    """Behind a pooler sessions have no time limits: what waits for a row there waits for as long as it is held."""
    return PostgresJobStore(await open_database(through_pooler=request.param))


async def test_a_plan_waits_for_no_row(planner: PostgresJobStore, scene: Scene, url: str) -> None:
    held, *others = await scene.jobs(20)
    plans = [make_plan(job) for job in (held, *others)]
    await planner.plan([make_plan(held, job_id="job_unknown")], FIRST)  # it is connected
    async with locked(url, row_of(held)):
        with takes_less_than(1.0):
            assert len(await planner.plan(plans, FIRST)) == len(others)
        assert [due.id for due in await planner.due_jobs(FIRST, 100)] == [held.id]
    assert len(await planner.plan(plans, FIRST)) == 1


async def test_what_the_dead_held_is_taken_away_without_waiting_for_a_row(
    planner: PostgresJobStore, scene: Scene, url: str
) -> None:
    worker_id = await scene.worker()
    held, *others = await scene.jobs(5)
    claims = [await scene.running(job, worker_id=worker_id) for job in (held, *others)]
    of_others = await scene.running(others[0], worker_id=worker_id)
    await scene.bury(worker_id)
    await planner.worker_beats()  # it is connected
    execution = f"SELECT FROM executions WHERE id = '{of_others.execution_id}' FOR UPDATE"
    async with locked(url, row_of(held)), locked(url, execution):
        with takes_less_than(1.0):
            lost = await planner.lose_abandoned(LATER, 100)
        assert {verdict.execution_id for verdict in lost} == {claim.execution_id for claim in claims[1:]}
    left = await planner.lose_abandoned(LATER, 100)
    assert {verdict.execution_id for verdict in left} == {claims[0].execution_id, of_others.execution_id}


async def test_a_user_who_pauses_a_due_job_waits_for_its_row(store: PostgresJobStore, scene: Scene, url: str) -> None:
    """What is due is planned before the change; skipped, it would meet itself again and again, and be a conflict."""
    job = await scene.job()
    clock = ManualClock(LATER)
    jobs = JobService(store, MemoryQueue(clock), clock=clock, random=Random(1), targets=None)
    async with observed(url) as observer:
        async with locked(url, row_of(job)):
            pausing = asyncio.create_task(jobs.pause(job.workspace_id, job.id))
            await waiting(observer, 1)
        await pausing
    executions = await store.list_executions(job.workspace_id, job.id, limit=10)
    assert [execution.status for execution in executions] == [ExecutionStatus.CANCELLED]


async def test_a_plan_that_waits_too_long_says_that_the_row_is_held(
    store: PostgresJobStore, scene: Scene, url: str
) -> None:
    job = await scene.job()
    async with locked(url, row_of(job)):
        with takes_less_than(4.0), pytest.raises(StoreBusy):
            await store.plan([make_plan(job)], FIRST, wait=True)
    assert len(await store.plan([make_plan(job)], FIRST)) == 1

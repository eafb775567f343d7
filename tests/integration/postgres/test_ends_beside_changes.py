"""A job that a user changes while the result that ends it is to be written, which is put off until after the change."""

import asyncio
from collections.abc import Callable

import pytest
from attrs import evolve

from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.domain.claim import AttemptReport
from cronhook_core.domain.job import Job, JobStatus
from cronhook_core.domain.job_changes import paused, redefined
from cronhook_core.testing.builders import gave_up, succeeded
from cronhook_core.testing.job_store.racing import report_all
from cronhook_core.testing.job_store.scene import LATER, Scene
from tests.integration.postgres.nodes import locked, observed, waiting


def renamed(job: Job) -> Job:
    return redefined(job, evolve(job.definition, name="another name"), job.host, LATER)


@pytest.mark.parametrize("change", [renamed, lambda job: paused(job, LATER)], ids=["renamed", "paused"])
@pytest.mark.parametrize("report", [succeeded, gave_up])
async def test_the_end_of_a_job_that_is_being_changed_leaves_it_listed_nowhere(
    report: Callable[..., AttemptReport], change: Callable[[Job], Job], scene: Scene, store: PostgresJobStore, url: str
) -> None:
    job, execution = await scene.due_once()
    claim = await scene.claim(execution)
    stored = await scene.job_now(job)
    async with observed(url) as observer:
        async with locked(url, f"SELECT FROM jobs WHERE id = '{job.id}' FOR UPDATE"):
            changing = asyncio.create_task(
                store.change_job(change(stored), expected=stored, cancel=None, max_jobs=None, now=LATER)
            )
            await waiting(observer, 1)
            finishing = asyncio.create_task(report_all(store, [report(claim, LATER)]))
            [verdict] = await store.finish([report(claim, LATER)], LATER)
            assert verdict.locked
        assert await changing
        [verdict] = await finishing
        assert verdict.accepted
        assert (await scene.job_now(job)).status is JobStatus.INACTIVE
        listed = await observer.execute("SELECT job_id FROM open_jobs UNION ALL SELECT job_id FROM timetable")
        assert await listed.fetchall() == []

"""Planners that all believe they lead: leadership saves work, the store's guards keep the truth."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime

import pytest

from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.engine.planner import plan_jobs
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW
from cronhook_core.testing.job_store.scene import Scene
from tests.integration.postgres.nodes import Open, observed

pytestmark = pytest.mark.suite("integration")

PLANNERS = 8
JOBS = 500
INSTANTS = 20
BATCH = 100


async def plan_flat_out(store: JobStore, now: datetime) -> list[str]:
    """What this planner queued until nothing was due any more."""
    queued: list[str] = []
    while due := await store.due_jobs(now, BATCH):
        queued.extend(await store.plan(plan_jobs(due, now), now))
    return queued


async def test_eight_planners_without_a_lock_make_one_execution_of_an_instant(
    scene: Scene, open_database: Open, url: str
) -> None:
    jobs = await scene.jobs(JOBS)
    planners = [PostgresJobStore(await open_database()) for _ in range(PLANNERS)]
    took_part: Counter[int] = Counter()
    queued: list[str] = []
    for number in range(1, INSTANTS + 1):
        now = NOW + number * MINUTE
        for planner, ids in enumerate(await asyncio.gather(*(plan_flat_out(store, now) for store in planners))):
            took_part[planner] += bool(ids)
            queued.extend(ids)
    assert len(queued) == len(set(queued)) == JOBS * INSTANTS
    async with observed(url) as observer:
        cursor = await observer.execute("SELECT job_id, scheduled_for FROM executions WHERE missed_count = 0")
        planned = Counter(await cursor.fetchall())
    assert planned == Counter((job.id, NOW + number * MINUTE) for job in jobs for number in range(1, INSTANTS + 1))
    assert len([planner for planner, instants in took_part.items() if instants]) > 1, "they never raced"

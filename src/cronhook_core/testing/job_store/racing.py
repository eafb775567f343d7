"""How the races are run: several processes on one store, each with its own connections."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from cronhook_core.domain.job import Job
from cronhook_core.domain.job_changes import deleted, paused
from cronhook_core.ports.job_catalog import CancelQueued
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.job_store.scene import DELETING, LATER, PAUSING, OpenStore, Scene

ROUNDS = 12
"""How often two acts are let loose on each other, on a job of their own each time."""

Stop = Callable[[Job, datetime], Job]

either_stop = pytest.mark.parametrize(("step", "cancel"), [(deleted, DELETING), (paused, PAUSING)])


async def several(scene: Scene, open_store: OpenStore, count: int) -> list[JobStore]:
    """As many stores on the database of the test, the first of them the test's own."""
    return [scene.store, *[await open_store() for _ in range(count - 1)]]


async def insist(store: JobStore, job: Job, step: Stop, cancel: CancelQueued) -> None:
    """Change a job as often as it takes, as the job service does."""
    while (stored := await store.get_job(job.workspace_id, job.id)) is not None:
        changed = step(stored, LATER)
        if await store.change_job(changed, expected=stored, cancel=cancel, max_jobs=None, now=LATER):
            return

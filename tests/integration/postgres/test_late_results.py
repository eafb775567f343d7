"""A result that waits for the loss of its attempt, and so began before the attempt's row was there."""

import asyncio
from collections.abc import Callable

import pytest

from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.domain.claim import AttemptReport
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.testing.builders import retry, succeeded
from cronhook_core.testing.job_store.scene import LATER, Scene
from tests.integration.postgres.nodes import locked, observed, waiting


@pytest.mark.parametrize(
    ("report", "status", "shown"),
    [
        (succeeded, ExecutionStatus.SUCCEEDED, "succeeded"),
        (retry, ExecutionStatus.QUEUED, "late_failed"),
    ],
)
async def test_what_comes_after_the_loss_corrects_the_row_that_the_loss_wrote(
    report: Callable[..., AttemptReport],
    status: ExecutionStatus,
    shown: str,
    scene: Scene,
    store: PostgresJobStore,
    url: str,
) -> None:
    worker_id = await scene.worker()
    claim = await scene.running(await scene.job(), worker_id=worker_id)
    async with observed(url) as observer:
        async with locked(url, f"SELECT FROM executions WHERE id = '{claim.execution_id}' FOR UPDATE"):
            losing = asyncio.create_task(store.lose([claim.ref], LATER))
            await waiting(observer, 1)
            finishing = asyncio.create_task(store.finish([report(claim, LATER)], LATER))
            await waiting(observer, 2)
        [[lost], [finished]] = await losing, await finishing
    assert (lost.accepted, finished.accepted) == (True, report is succeeded)
    assert (await scene.now_of(claim)).status is status
    [attempt] = await scene.attempts(claim)
    assert (attempt.status, attempt.worker_id, attempt.started_at) == (shown, worker_id, LATER)
    assert attempt.response_status is not None

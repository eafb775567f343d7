"""A result that comes while its attempt is recorded as lost, before the attempt's row is there."""

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
        async with locked(url, f"SELECT FROM claims WHERE execution_id = '{claim.execution_id}' FOR UPDATE"):
            losing = asyncio.create_task(store.lose([claim.ref], LATER))
            await waiting(observer, 1)
            finishing = asyncio.create_task(store.finish([report(claim, LATER)], LATER))
            if report is succeeded:
                await waiting(observer, 2)
            else:  # a failure needs the job, which the loss holds
                [held_up] = await finishing
                assert held_up.locked
        [lost] = await losing
    [finished] = await finishing if report is succeeded else await store.finish([report(claim, LATER)], LATER)
    assert (lost.accepted, finished.accepted) == (True, report is succeeded)
    assert (await scene.now_of(claim)).status is status
    [attempt] = await scene.attempts(claim)
    assert (attempt.status, attempt.worker_id, attempt.started_at) == (shown, worker_id, LATER)
    assert attempt.response_status is not None

"""How the races are run: several processes on one store, each with its own connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from random import Random
from typing import Any, TypeVar

import pytest

from cronhook_core.domain.claim import AttemptReport, Claim, ClaimRef, Verdict
from cronhook_core.domain.job import Job
from cronhook_core.domain.job_changes import deleted, paused
from cronhook_core.errors import StoreBusy
from cronhook_core.ports.job_catalog import CancelQueued
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.job_store.scene import DELETING, LATER, PAUSING, OpenStore, Scene

ROUNDS = 24
"""How often two acts are let loose on each other, on a job of their own each time."""
_AT_ONCE = 4
_AGAIN_AFTER = 0.002
_SPREAD = 0.008
"""Seconds by which the second act of a round starts later at most: the order of what a change does to a database."""

Stop = Callable[[Job, datetime], Job]
HandBack = Callable[[Sequence[ClaimRef], datetime], Coroutine[Any, Any, Sequence[Verdict]]]
_random = Random(0)
_A = TypeVar("_A")
_B = TypeVar("_B")

either_stop = pytest.mark.parametrize(("step", "cancel"), [(deleted, DELETING), (paused, PAUSING)])


async def several(scene: Scene, open_store: OpenStore, count: int) -> list[JobStore]:
    """As many stores on the database of the test, the first of them the test's own."""
    return [scene.store, *[await open_store() for _ in range(count - 1)]]


async def race(rounds: Iterable[tuple[Coroutine[Any, Any, _A], Coroutine[Any, Any, _B]]]) -> list[tuple[_A, _B]]:
    """Run the two acts of each round, the second from a random moment of the first on, and return what they return.

    A few rounds run at once, so that each meets the traffic of others as well.
    """
    lanes = asyncio.Semaphore(_AT_ONCE)
    return await asyncio.gather(*(_run(first, second, lanes) for first, second in rounds))


async def _run(
    first: Coroutine[Any, Any, _A], second: Coroutine[Any, Any, _B], lanes: asyncio.Semaphore
) -> tuple[_A, _B]:
    async with lanes:
        outcomes: tuple[_A, _B] = await asyncio.gather(first, _after(_random.uniform(0, _SPREAD), second))
        return outcomes


async def _after(delay: float, act: Coroutine[Any, Any, _B]) -> _B:
    await asyncio.sleep(delay)
    return await act


async def report_all(store: JobStore, reports: Sequence[AttemptReport], now: datetime = LATER) -> Sequence[Verdict]:
    """Report results until all of them are dealt with, as a worker does: one by one where another is in the way."""
    done: dict[int, Verdict] = {}
    at_most = len(reports)
    while left := [index for index in range(len(reports)) if index not in done]:
        group = left[:at_most]
        try:
            verdicts = await store.finish([reports[index] for index in group], now)
        except StoreBusy:
            at_most = 1
            await asyncio.sleep(_AGAIN_AFTER)
            continue
        done |= {index: verdict for index, verdict in zip(group, verdicts, strict=True) if not verdict.locked}
        if len(done) < len(reports):
            await asyncio.sleep(_AGAIN_AFTER)
    return [done[index] for index in range(len(reports))]


async def hand_back(way: HandBack, claim: Claim, now: datetime = LATER) -> Sequence[Verdict]:
    """Release, interrupt or lose a claim, as often as another transaction is in the way."""
    verdicts = await way([claim.ref], now)
    while verdicts[0].locked:
        await asyncio.sleep(_AGAIN_AFTER)
        verdicts = await way([claim.ref], now)
    return verdicts


async def insist(store: JobStore, job: Job, step: Stop, cancel: CancelQueued | None) -> None:
    """Change a job as often as it takes, as the job service does."""
    while (stored := await store.get_job(job.workspace_id, job.id)) is not None:
        changed = step(stored, LATER)
        if await store.change_job(changed, expected=stored, cancel=cancel, max_jobs=None, now=LATER):
            return

"""The engine without loops: runs what is due, in the order of time, as fast as it goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.planner import plan_jobs
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.manual_clock import ManualClock

WORKER_ID = "wrk_00000000000000000000000000"
PLANNED_AT_ONCE = 500
MOST_AT_ONE_INSTANT = 10_000
"""Attempts; more mean that a receiver queues an execution for every one that it gets."""


class VirtualEngine:
    """Plans, claims and delivers by the engine's own rules, one execution after the other.

    Nothing else may work on ``store``. ``on_attempt`` is called after each attempt whose result is stored.
    """

    def __init__(self, store: JobStore, delivery: Delivery, clock: ManualClock, on_attempt: Callable[[], None]) -> None:
        self._store = store
        self._delivery = delivery
        self._clock = clock
        self._on_attempt = on_attempt
        self._busy = False

    async def advance_to(self, end: datetime) -> None:
        """Move time to ``end``, stopping wherever something is due. RuntimeError when a receiver calls this."""
        if self._busy:
            raise RuntimeError("time cannot be moved while a webhook is being received")
        self._busy = True
        try:
            await self._store.register_worker(WORKER_ID, self._clock.now())
            await self._run_due()
            while (due := await self._store.next_due(self._clock.now())) is not None and due <= end:
                await self._move_to(due)
                await self._run_due()
            await self._move_to(end)
        finally:
            self._busy = False

    async def _move_to(self, instant: datetime) -> None:
        await self._clock.advance(max(0.0, (instant - self._clock.now()).total_seconds()))

    async def _run_due(self) -> None:
        attempts = 0
        while ready := await self._ready():
            made = [await self._attempt(message) for message in ready]
            attempts += sum(made)
            if not any(made):
                return
            if attempts > MOST_AT_ONE_INSTANT:
                raise RuntimeError(f"more than {MOST_AT_ONE_INSTANT} webhooks were due at {self._clock.now()}")

    async def _ready(self) -> list[QueueMessage]:
        """All that is due, the oldest instant first, and of one instant in the order in which the jobs were created."""
        await self._plan()
        ready = await self._store.ready(self._clock.now(), MOST_AT_ONE_INSTANT)
        return sorted(ready, key=lambda message: (message.scheduled_for, message.job_id))

    async def _plan(self) -> None:
        now = self._clock.now()
        while due := await self._store.due_jobs(now, PLANNED_AT_ONCE):
            await self._store.plan(plan_jobs(due, now), now)

    async def _attempt(self, message: QueueMessage) -> int:
        """How many attempts this made: none where a receiver had it cancelled or deleted meanwhile."""
        claims = await self._store.claim([message.execution_id], worker_id=WORKER_ID, now=self._clock.now())
        for claim in claims:
            report = await self._delivery.attempt(claim, await self._delivery.secrets(claim))
            await self._store.finish([report], self._clock.now())
            self._on_attempt()
        return len(claims)

"""Claims executions, sends their webhooks, and reports."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from attrs import frozen

from cronhook_core.domain.claim import Claim, ClaimRef
from cronhook_core.domain.execution import SUSPECT_LOSSES
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.background import BackgroundLoop
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.intake import Intake
from cronhook_core.engine.result_writer import ResultWriter
from cronhook_core.engine.sends import CutOff, Sends
from cronhook_core.engine.worker_life import WorkerLife
from cronhook_core.errors import Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.queue import Queue

FLUSH_FOR = 5.0
LOCKED_AGAIN_AFTER = 0.2
"""Seconds between two tries to hand back what another transaction holds."""
"""Seconds that a stopping worker waits for its last results to be written."""


@frozen(kw_only=True)
class WorkerOptions:
    """``concurrency`` slots for sends; those of one host take half of them at most, those of one workspace two thirds.

    When stopping, sends under way get ``drain_timeout`` to end.
    """

    concurrency: int = 500
    drain_timeout: timedelta = timedelta(seconds=15)


class Worker:
    """Runs executions, up to ``concurrency`` at once.

    `start` returns at once. `stop` claims no more, lets sends under way end within the drain time, gives back what was
    not sent, records the rest as interrupted, and returns when that is written; `stop(at_once=True)` ends the waiting.
    Any number of workers may run on one store.
    """

    def __init__(
        self,
        store: JobStore,
        queue: Queue,
        delivery: Delivery,
        *,
        clock: Clock,
        hooks: EngineHooks,
        random: Random,
        dependencies: Dependencies,
        options: WorkerOptions | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._hooks = hooks
        self._options = options or WorkerOptions()
        self._hurry = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._life = WorkerLife(
            store,
            clock=clock,
            random=random,
            database=dependencies.database,
            hooks=hooks,
            is_idle=lambda: not self._sends.held,
        )
        self._sends = Sends(
            delivery,
            clock=clock,
            hooks=hooks,
            may_start=lambda: self._life.trusted,
            reported=lambda claim, report: self._results.put(claim, report),
            ended=lambda claim: self._intake.ended(claim),
            let_go=lambda claim: self._intake.let_go(claim),
        )
        self._results = ResultWriter(
            store, clock=clock, hooks=hooks, database=dependencies.database, on_written=self._settle
        )
        self._intake = Intake(
            store,
            queue,
            self._sends,
            self._life,
            clock=clock,
            hooks=hooks,
            dependencies=dependencies,
            concurrency=self._options.concurrency,
            results_waiting=lambda: self._results.waiting,
        )
        self._beating = BackgroundLoop("beat", self._beat, clock=clock, hooks=hooks)

    @property
    def sends_in_flight(self) -> int:
        return self._sends.in_flight

    def start(self) -> None:
        self._results.start()
        self._beating.start()
        self._intake.start()

    async def stop(self, *, at_once: bool = False) -> None:
        if at_once:
            self._hurry.set()
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name="cronhook-drain")
        await asyncio.shield(self._ending)

    def _settle(self, claim: Claim) -> None:
        self._sends.settle(claim)
        if claim.losses >= SUSPECT_LOSSES:
            self._intake.look_again()  # others of its kind were left until now

    async def _end(self) -> None:
        await self._stop_intake()
        cut_off = await self._sends.drain(self._options.drain_timeout.total_seconds(), self._hurry)
        await self._within(FLUSH_FOR, self._results.written())
        await self._results.stop()
        await self._beating.abort()
        await self._within(FLUSH_FOR, self._give_up(cut_off))

    async def _stop_intake(self) -> None:
        stopping, hurried = asyncio.ensure_future(self._intake.stop()), asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait((stopping, hurried), return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not stopping.done():
            await self._intake.abort()
        await asyncio.gather(stopping)

    async def _give_up(self, cut_off: CutOff) -> None:
        """Hand back what did not end; what cannot be written now, the reaper finds.

        What another transaction holds is tried again, so that it does not count as lost.
        """
        unsent, sent = cut_off.unsent, cut_off.sent
        try:
            while unsent or sent:
                unsent, sent = await self._release(unsent), await self._interrupt(sent)
                if unsent or sent:
                    await self._clock.sleep(LOCKED_AGAIN_AFTER)
        except Unavailable:
            return
        await self._life.end()

    async def _release(self, refs: Sequence[ClaimRef]) -> Sequence[ClaimRef]:
        """Release these claims; returns those that another transaction holds."""
        now = self._clock.now()
        verdicts = await self._store.release(refs, now) if refs else ()
        if released := [verdict for verdict in verdicts if not verdict.locked]:
            self._hooks.executions_released(released, now)
        return [ref for ref, verdict in zip(refs, verdicts, strict=True) if verdict.locked]

    async def _interrupt(self, refs: Sequence[ClaimRef]) -> Sequence[ClaimRef]:
        """Record these claims as interrupted; returns those that another transaction holds."""
        now = self._clock.now()
        verdicts = await self._store.interrupt(refs, now) if refs else ()
        if interrupted := [verdict for verdict in verdicts if not verdict.locked]:
            self._hooks.executions_interrupted(interrupted, now)
        return [ref for ref, verdict in zip(refs, verdicts, strict=True) if verdict.locked]

    async def _within(self, seconds: float, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.ensure_future(work)
        limit = asyncio.ensure_future(self._clock.sleep(seconds))
        await asyncio.wait((task, limit), return_when=asyncio.FIRST_COMPLETED)
        limit.cancel()
        task.cancel()
        await asyncio.gather(task, limit, return_exceptions=True)

    async def _beat(self) -> float:
        pause = await self._life.run_once()
        if self._life.trusted and self._life.worker_id is not None:
            await self._release_strays(self._life.worker_id)
        return pause

    async def _release_strays(self, worker_id: str) -> None:
        """Give back claims that the store counts as this worker's and that it does not hold: their answer was lost."""
        try:
            async with self._intake.claiming:
                held = self._sends.held
                running = await self._store.running(worker_id)
            held |= self._sends.held
            strays = [ref for ref in running if ref not in held]
            if strays:
                await self._release(strays)
        except Unavailable:
            return

"""Goes through the jobs that are due later, a bounded batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cronhook_core.domain.planning import DueJob, JobPlan, Rescheduling
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.planning_store import PlanningStore

BATCH = 500
PAUSE_BETWEEN_BATCHES = 0.01
"""Seconds."""

Rule = Callable[[DueJob, datetime], Rescheduling | JobPlan | None]
"""What a job's ``next_run`` becomes at an instant, or the plan that ends the job; None: nothing changes."""


class JobWalk:
    """Applies ``rule`` to every active job whose ``next_run`` is later than an instant, each guarded by what was read.

    ``moved`` is called after each batch in which instants moved.
    """

    def __init__(self, store: PlanningStore, rule: Rule, *, hooks: EngineHooks, moved: Callable[[], None]) -> None:
        self._store = store
        self._rule = rule
        self._hooks = hooks
        self._moved = moved
        self._last: DueJob | None = None
        self._count = 0

    async def step(self, beyond: datetime, now: datetime) -> int | None:
        """Look at one batch; None until that was the last one, then how many jobs were moved in all.

        The next step after that begins anew.
        """
        jobs = await self._store.upcoming_jobs(beyond, BATCH, after=self._last)
        await self._apply([change for job in jobs if (change := self._rule(job, now)) is not None], now)
        if len(jobs) == BATCH:
            self._last = jobs[-1]
            return None
        count, self._count, self._last = self._count, 0, None
        return count

    async def _apply(self, changes: Sequence[Rescheduling | JobPlan], now: datetime) -> None:
        ends = [change for change in changes if isinstance(change, JobPlan)]
        moves = [change for change in changes if isinstance(change, Rescheduling)]
        if ends:
            await self._store.plan(ends, now, wait=True)
            for end in ends:
                self._hooks.job_unplannable(end, now)
        if moves and (count := await self._store.reschedule(moves)):
            self._count += count
            self._moved()

"""The plans of what is due next, made while there is time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from cronhook_core.domain.planning import JobPlan
from cronhook_core.engine.background import BackgroundLoop
from cronhook_core.engine.planner import minute_of, plan_jobs
from cronhook_core.errors import Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.job_store import JobStore

BOUND = 5000
"""Jobs that are looked at ahead, at most: a few megabytes."""
AT_ONCE = 500
"""Plans made in one turn of the event loop, which others need too."""
LOOK_FROM, LOOK_UNTIL = timedelta(seconds=1.3), timedelta(seconds=0.2)
"""How long before an instant a look begins. A planner that sleeps a second or so wakes at least once in between."""
HOLDS_FOR = timedelta(seconds=0.25)
"""After the instant."""
IDLE = 3600.0


class Foresight:
    """Reads the jobs of the next due instant before it, and computes their plans as they will be at that instant.

    Nothing is written ahead. A plan applies only to the job as it was read, so what was edited, paused, deleted or
    planned by another node meanwhile drops out; that, and what was not foreseen, is left to the pass at the instant.
    Looks are made beside the passes, which wait for none. Executions are taken to be created at their instant.
    """

    def __init__(self, store: JobStore, *, clock: Clock, hooks: EngineHooks) -> None:
        self._store = store
        self._clock = clock
        self._wanted: datetime | None = None
        self._due_at: datetime | None = None
        self._plans: list[JobPlan] = []
        self.looking = BackgroundLoop("foresight", self.run_once, clock=clock, hooks=hooks)

    def expect(self, due_at: datetime) -> None:
        """``due_at`` is the earliest instant at which anything is due, as far as is known.

        What comes in between is left to its pass, and what was foreseen for later is kept.
        """
        foreseen = self._due_at is not None and due_at <= self._due_at
        if not foreseen and LOOK_UNTIL <= due_at - self._clock.now() < LOOK_FROM:
            self._wanted = due_at
            self.looking.wake()

    async def run_once(self) -> float:
        """Look at what is expected. One that fails, or is not over in time, leaves nothing; no pass needs it."""
        due_at, self._wanted = self._wanted, None
        if due_at is None or due_at == self._due_at:
            return IDLE
        plans: list[JobPlan] = []
        try:
            jobs = await self._store.due_jobs(due_at, BOUND)
        except Unavailable:
            return IDLE
        for start in range(0, len(jobs), AT_ONCE):
            if self._clock.now() >= due_at:
                return IDLE
            made = plan_jobs(jobs[start : start + AT_ONCE], due_at)
            plans += [plan for plan in made if plan.inactive_reason is None]
            await asyncio.sleep(0)
        if plans and self._clock.now() < due_at:
            self._due_at, self._plans = due_at, plans
        return IDLE

    def take(self, now: datetime) -> Sequence[JobPlan]:
        """What was foreseen for an instant that has come, handed out once.

        Nothing in another minute than that of the instant, when more may have been missed, or later than it holds.
        """
        if self._due_at is None or now < self._due_at:
            return []
        holds = now - self._due_at <= HOLDS_FOR and minute_of(now) == minute_of(self._due_at)
        plans = self._plans if holds else []
        self.forget()
        return plans

    def forget(self) -> None:
        """Others plan now, or it is over."""
        self._wanted, self._due_at, self._plans = None, None, []

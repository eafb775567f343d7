"""The plans of what is due next, made while there is nothing else to do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from cronhook_core.domain.planning import JobPlan
from cronhook_core.engine.planner import minute_of, plan_jobs
from cronhook_core.ports.job_store import JobStore

BOUND = 5000
"""Jobs that are looked at ahead, at most: some 10 MB."""
AT_ONCE = 500
"""Plans made in one turn of the event loop, which others need too."""
HOLDS_FOR = timedelta(seconds=1)
"""After the instant."""


class Foresight:
    """Reads the jobs of the next due instant before it, and computes their plans as they will be at that instant.

    Nothing is written ahead. A plan applies only to the job as it was read, so what was edited, paused, deleted or
    planned by another node meanwhile drops out; what was not foreseen is found by the next look at what is due.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._due_at: datetime | None = None
        self._plans: list[JobPlan] = []

    async def look(self, due_at: datetime) -> None:
        """Make the plans of ``due_at``, the earliest instant at which anything is due; once."""
        if due_at == self._due_at:
            return
        self._due_at, self._plans = due_at, []
        jobs = await self._store.due_jobs(due_at, BOUND)
        for start in range(0, len(jobs), AT_ONCE):
            plans = plan_jobs(jobs[start : start + AT_ONCE], due_at)
            self._plans += [plan for plan in plans if plan.inactive_reason is None]
            await asyncio.sleep(0)

    def take(self, now: datetime) -> Sequence[JobPlan]:
        """What was foreseen for an instant that has come, handed out once; nothing long after, when more was missed."""
        if self._due_at is None or now < self._due_at:
            return []
        holds = now - self._due_at <= HOLDS_FOR and minute_of(now) == minute_of(self._due_at)
        plans = self._plans if holds else []
        self._due_at, self._plans = None, []
        return plans

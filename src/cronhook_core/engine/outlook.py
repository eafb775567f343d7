"""What a planner knows of what is ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.ports.planning_store import PlanningStore

FIRST_LOOK_BACK = timedelta(seconds=1)
"""Of a planner that has just begun. What became available before that, workers find in the store by themselves."""


class Outlook:
    """``due_at``: the earliest instant at which anything is due, as far as is known; None: nothing is ahead.

    Most passes find nothing to do, and ask the store one question to know it. ``at_once`` bounds `newly_available`.
    """

    def __init__(self, store: PlanningStore, at_once: int) -> None:
        self._store = store
        self._at_once = at_once
        self._seen_through: datetime | None = None
        self.due_at: datetime | None = None

    async def is_due(self, now: datetime) -> bool:
        """Whether a job is due, or an execution became available since the last look."""
        if self.due_at is None or self.due_at > now:
            self.due_at = await self._store.next_due(self._after(now))
        if self.due_at is not None and self.due_at <= now:
            return True
        self._seen_through = now
        return False

    async def newly_available(self, now: datetime) -> Sequence[QueueMessage]:
        """What became available since the last look: retries, mostly, for what is planned is offered at once."""
        ready = await self._store.ready(now, self._at_once, after=self._after(now))
        self._seen_through = now
        return ready

    async def look_ahead(self, now: datetime) -> None:
        """After all is done that was due."""
        self.due_at = await self._store.next_due(now)

    def _after(self, now: datetime) -> datetime:
        return self._seen_through or now - FIRST_LOOK_BACK

"""Forgets what is older than the retention."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from cronhook_core.errors import Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.job_store import JobStore

INTERVAL = 60.0
PAUSE_BETWEEN_BATCHES = 0.2
BATCH = 1000


class Pruner:
    """On the leader: deletes final executions that ended longer than ``retention`` ago, a bounded batch a pass.

    What else has expired goes with them. ``leads`` is true on every node while nobody can lead.
    """

    def __init__(self, store: JobStore, *, clock: Clock, leads: Callable[[], bool], retention: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._leads = leads
        self._retention = retention

    async def run_once(self) -> float:
        """Prune one batch; the seconds until the next one, few while there is more to do."""
        if not self._leads():
            return INTERVAL
        try:
            now = self._clock.now()
            pruned = await self._store.prune(now - self._retention, BATCH, now=now)
        except Unavailable:
            return INTERVAL
        return PAUSE_BETWEEN_BATCHES if pruned == BATCH else INTERVAL

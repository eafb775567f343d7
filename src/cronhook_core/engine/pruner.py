"""Forgets what is older than the retention."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from cronhook_core.domain.clock_trust import ClockTrust
from cronhook_core.errors import Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.job_store import JobStore

INTERVAL = 60.0
PAUSE_BETWEEN_BATCHES = 0.2
BATCH = 1000
CLOCK_REMEMBERED_EVERY = timedelta(seconds=30)


class Pruner:
    """On the leader: deletes executions and jobs that ended longer than ``retention`` ago, a bounded batch a pass.

    What else has expired goes with them. ``leads`` is true on every node while nobody can lead. Nothing is deleted by a
    clock that is doubted: ``clock_jumps`` says whether the clock refuses a jump of the one that it follows, and what
    `ClockTrust` needs is kept in the store.
    """

    def __init__(
        self,
        store: JobStore,
        *,
        clock: Clock,
        hooks: EngineHooks,
        leads: Callable[[], bool],
        retention: timedelta,
        clock_jumps: Callable[[], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._hooks = hooks
        self._leads = leads
        self._retention = retention
        self._clock_jumps = clock_jumps
        self._trust = ClockTrust()

    async def run_once(self) -> float:
        """Prune one batch; the seconds until the next one, few while there is more to do."""
        if not self._leads() or self._clock_jumps():
            return INTERVAL
        try:
            if not await self._clock_is_believed():
                return INTERVAL
            now = self._clock.now()
            pruned = await self._store.prune(now - self._retention, BATCH, now=now)
            pruned = max(pruned, await self._store.prune_jobs(now - self._retention, BATCH))
        except Unavailable:
            return INTERVAL
        return PAUSE_BETWEEN_BATCHES if pruned == BATCH else INTERVAL

    async def _clock_is_believed(self) -> bool:
        now, believed_at = self._clock.now(), await self._store.believed_clock()
        before, self._trust = self._trust, self._trust.after(now, self._clock.monotonic(), believed_at=believed_at)
        if not self._trust.holds:
            if believed_at is not None and self._trust != before:
                self._hooks.clock_doubted(now - believed_at)
            return False
        if believed_at is None or abs(now - believed_at) >= CLOCK_REMEMBERED_EVERY:
            await self._store.remember_clock(now)
        return True

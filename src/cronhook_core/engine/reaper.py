"""Finds workers whose beat has stopped, without comparing clocks."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from cronhook_core.domain.worker_life import DEAD_AFTER
from cronhook_core.engine.background import until_round
from cronhook_core.errors import StoreBusy, StoreUnavailable, Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.worker_registry import WorkerRegistry

INTERVAL = 1.0
"""Seconds between two looks. No look counts for more than twice this, however long ago the one before it was."""
LOST_AT_ONCE = 1000


@frozen(kw_only=True)
class _Seen:
    beat: int
    silent_for: float = 0.0


class Reaper:
    """Every node observes; the leader buries what it saw to be silent for 8 s and takes its executions away.

    ``leads`` is true on every node while nobody can lead: burying and taking away are compare-and-set.

    Silence is counted over this node's own successful looks, at moments at which it could have written as well: a
    database that was away is silence of the observer. The time between two looks counts only up to a bound. After an
    outage all begin anew: what could not be written here, a beat could not either. A row that another transaction
    holds is no outage: it delays its own worker or executions until a later pass, and nothing else.
    """

    def __init__(
        self, registry: WorkerRegistry, *, clock: Clock, hooks: EngineHooks, leads: Callable[[], bool]
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._hooks = hooks
        self._leads = leads
        self._seen: dict[str, _Seen] = {}
        self._last_read: float | None = None

    async def run_once(self) -> float:
        """Look, bury, and take away, each whether or not the one before it failed, as long as the store answers."""
        try:
            await self._observe()
        except Unavailable:
            self._begin_anew()
        else:
            if self._leads():
                await self._bury_silent()
                await self._take_from_dead()
        return until_round(self._clock.monotonic(), INTERVAL)

    def _begin_anew(self) -> None:
        self._last_read = None
        self._seen = {}

    async def _observe(self) -> None:
        beats = await self._registry.worker_beats()
        read_at = self._clock.monotonic()
        elapsed = 0.0 if self._last_read is None else min(read_at - self._last_read, 2 * INTERVAL)
        self._last_read = read_at
        self._seen = {b.worker_id: self._moved(b.worker_id, b.beat, elapsed) for b in beats}

    def _moved(self, worker_id: str, beat: int, elapsed: float) -> _Seen:
        before = self._seen.get(worker_id)
        if before is None or before.beat != beat:
            return _Seen(beat=beat)
        return _Seen(beat=beat, silent_for=before.silent_for + elapsed)

    async def _bury_silent(self) -> None:
        for worker_id, seen in list(self._seen.items()):
            if seen.silent_for < DEAD_AFTER.total_seconds():
                continue
            try:
                await self._bury(worker_id, seen.beat)
            except StoreBusy as error:
                self._hooks.store_busy("reaper", error)
            except StoreUnavailable:
                self._begin_anew()
                return

    async def _bury(self, worker_id: str, beat: int) -> None:
        now = self._clock.now()
        if await self._registry.bury_worker(worker_id, beat, now):
            self._hooks.worker_buried(worker_id, now)

    async def _take_from_dead(self) -> None:
        now = self._clock.now()
        try:
            lost = await self._registry.lose_abandoned(now, LOST_AT_ONCE)
        except StoreBusy as error:
            self._hooks.store_busy("reaper", error)
            return
        except StoreUnavailable:
            self._begin_anew()
            return
        if lost:
            self._hooks.executions_lost(lost, now)

"""A worker's life as the store sees it: its id, its beat, and how long it may trust itself."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from cronhook_core.domain.ids import new_id
from cronhook_core.domain.worker_life import BEAT_INTERVAL, TRUST_ENDS_AFTER
from cronhook_core.engine.availability import Dependency
from cronhook_core.engine.background import until_round
from cronhook_core.errors import StoreBusy, StoreUnavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.worker_registry import WorkerRegistry


class WorkerLife:
    """Registers the worker and moves its beat every 2 s.

    A worker that was buried, or that could not beat for 7 s, starts no new send. What is under way ends and is written
    (the fence decides whether it counts); when ``is_idle`` says that nothing is left, it registers under a new id.
    """

    def __init__(
        self,
        registry: WorkerRegistry,
        *,
        clock: Clock,
        random: Random,
        database: Dependency,
        hooks: EngineHooks,
        is_idle: Callable[[], bool],
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._random = random
        self._database = database
        self._hooks = hooks
        self._is_idle = is_idle
        self._buried = False
        self._trusted_until = 0.0
        self._registering: str | None = None
        self.worker_id: str | None = None

    @property
    def trusted(self) -> bool:
        return self.worker_id is not None and not self._buried and self._clock.monotonic() < self._trusted_until

    async def run_once(self) -> float:
        """Beat, or register; the seconds until the next beat. Raises ``StoreBusy``, after which it may be repeated."""
        try:
            await self._live()
        except StoreUnavailable:
            self._database.failed()
            return self._database.pause
        self._database.answered()
        return until_round(self._clock.monotonic(), BEAT_INTERVAL.total_seconds())

    async def end(self) -> None:
        """Forget the worker's registration, if the store can be reached, also one whose answer never came."""
        ids = [worker_id for worker_id in (self.worker_id, self._registering) if worker_id is not None]
        self.worker_id = self._registering = None
        try:
            for worker_id in ids:
                await self._registry.retire_worker(worker_id)
        except StoreBusy:
            return
        except StoreUnavailable:
            self._database.failed()

    async def _live(self) -> None:
        if self.worker_id is None or (self._buried and self._is_idle()):
            await self._register()
        elif not self._buried:
            await self._beat(self.worker_id)

    async def _register(self) -> None:
        now = self._clock.now()
        began = self._clock.monotonic()
        worker_id = self._registering = self._registering or new_id("wrk", now, self._random)
        await self._registry.register_worker(worker_id, now)
        self.worker_id, self._registering = worker_id, None
        self._buried = False
        self._trust(began)
        self._hooks.worker_registered(worker_id, now)

    async def _beat(self, worker_id: str) -> None:
        began = self._clock.monotonic()
        if await self._registry.beat(worker_id, self._clock.now()):
            self._trust(began)
        else:
            self._buried = True

    def _trust(self, began: float) -> None:
        self._trusted_until = began + TRUST_ENDS_AFTER.total_seconds()

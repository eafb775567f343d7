"""Health checks whose results are shared: however many probes ask, a dependency is asked once a second."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable

from attrs import frozen

from cronhook_core.errors import CronhookError
from cronhook_core.ports.clock import Clock
from cronhook_core.wire.v1 import HealthCheck, HealthStatus
from cronhook_server.patience import within

CHECK_WITHIN_SECONDS = 3.0
FRESH_FOR_SECONDS = 1.0


@frozen(kw_only=True)
class Probe:
    """Ask whether one dependency answers: ``check`` returns, or raises. Without a ``vital`` one nothing works.

    A probe ``for_readiness`` asks more of a dependency that has another probe, before requests are sent here.
    """

    name: str
    check: Callable[[], Awaitable[object]]
    vital: bool
    for_readiness: bool = False


class HealthChecks:
    """Runs the probes of a process. The probes need no API key, so nobody may make them cost more by asking more."""

    def __init__(self, probes: Iterable[Probe], clock: Clock) -> None:
        self._checks = [_SharedCheck(probe, clock) for probe in probes]

    async def run(self, *, dependencies_only: bool = False) -> tuple[HealthCheck, ...]:
        """Return one result per probe, none older than a second.

        With ``dependencies_only``, leave out the probes that are `Probe.for_readiness`.
        """
        asked = [check for check in self._checks if not (dependencies_only and check.probe.for_readiness)]
        return tuple(await asyncio.gather(*(check.result() for check in asked)))

    def vital(self, checks: Iterable[HealthCheck]) -> list[HealthCheck]:
        """Those of the results without whose dependency nothing works."""
        names = {check.probe.name for check in self._checks if check.probe.vital}
        return [check for check in checks if check.name in names]


class _SharedCheck:
    def __init__(self, probe: Probe, clock: Clock) -> None:
        self.probe = probe
        self._clock = clock
        self._running = asyncio.Lock()
        self._result: HealthCheck | None = None
        self._fresh_until = -math.inf

    async def result(self) -> HealthCheck:
        async with self._running:
            if self._result is None or self._clock.monotonic() >= self._fresh_until:
                self._result = await self._ask()
                self._fresh_until = self._clock.monotonic() + FRESH_FOR_SECONDS
            return self._result

    async def _ask(self) -> HealthCheck:
        began = self._clock.monotonic()
        try:
            await within(CHECK_WITHIN_SECONDS, self.probe.check())
        except (CronhookError, TimeoutError):
            status = HealthStatus.FAILING
        else:
            status = HealthStatus.OK
        latency_ms = round((self._clock.monotonic() - began) * 1000, 1)
        return HealthCheck(name=self.probe.name, status=status, latency_ms=latency_ms)

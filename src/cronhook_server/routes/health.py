"""What probes ask. No key is needed, and nothing is told but names, states and times."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from litestar import get

from cronhook_core.errors import CronhookError
from cronhook_core.ports.clock import Clock
from cronhook_core.wire.v1 import Health, HealthCheck, HealthStatus
from cronhook_server.answering import Answer, respond_with
from cronhook_server.api_request import ApiRequest
from cronhook_server.patience import within
from cronhook_server.services import Probe

CHECK_WITHIN_SECONDS = 3.0


@get("/livez")
async def live() -> Answer:
    """The process answers; no dependency is touched."""
    return respond_with(Health(status=HealthStatus.OK))


@get("/health")
async def health(request: ApiRequest) -> Answer:
    """500 when any dependency does not answer."""
    dependencies = [probe for probe in request.services.probes if not probe.for_readiness]
    checks = await _ask(dependencies, request.services.clock)
    failing = any(check.status is HealthStatus.FAILING for check in checks)
    status = HealthStatus.FAILING if failing else HealthStatus.OK
    return respond_with(Health(status=status, checks=checks), status=500 if failing else 200)


@get("/readyz")
async def ready(request: ApiRequest) -> Answer:
    """503 when something does not answer that nothing works without."""
    checks = await _ask(request.services.probes, request.services.clock)
    vital = {probe.name for probe in request.services.probes if probe.vital}
    failing = {check.name for check in checks if check.status is HealthStatus.FAILING}
    if failing & vital:
        return respond_with(Health(status=HealthStatus.FAILING, checks=checks), status=503)
    return respond_with(Health(status=HealthStatus.DEGRADED if failing else HealthStatus.OK, checks=checks))


async def _ask(probes: Iterable[Probe], clock: Clock) -> tuple[HealthCheck, ...]:
    return tuple(await asyncio.gather(*(_ask_one(probe, clock) for probe in probes)))


async def _ask_one(probe: Probe, clock: Clock) -> HealthCheck:
    began = clock.monotonic()
    try:
        await within(CHECK_WITHIN_SECONDS, probe.check())
    except (CronhookError, TimeoutError):
        status = HealthStatus.FAILING
    else:
        status = HealthStatus.OK
    return HealthCheck(name=probe.name, status=status, latency_ms=round((clock.monotonic() - began) * 1000, 1))


HEALTH_ROUTES = (live, health, ready)

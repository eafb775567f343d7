"""What probes ask. No key is needed, and nothing is told but names, states and times."""

from __future__ import annotations

from litestar import get

from cronhook_core.wire.v1 import Health, HealthStatus
from cronhook_server.answering import Answer, respond_with
from cronhook_server.api_request import ApiRequest


@get("/livez")
async def live() -> Answer:
    """The process answers; no dependency is touched."""
    return respond_with(Health(status=HealthStatus.OK))


@get("/health")
async def health(request: ApiRequest) -> Answer:
    """500 when any dependency does not answer."""
    checks = await request.services.checks.run(dependencies_only=True)
    failing = any(check.status is HealthStatus.FAILING for check in checks)
    status = HealthStatus.FAILING if failing else HealthStatus.OK
    return respond_with(Health(status=status, checks=checks), status=500 if failing else 200)


@get("/readyz")
async def ready(request: ApiRequest) -> Answer:
    """503 when something does not answer that nothing works without."""
    checks = await request.services.checks.run()
    if any(check.status is HealthStatus.FAILING for check in request.services.checks.vital(checks)):
        return respond_with(Health(status=HealthStatus.FAILING, checks=checks), status=503)
    failing = any(check.status is HealthStatus.FAILING for check in checks)
    return respond_with(Health(status=HealthStatus.DEGRADED if failing else HealthStatus.OK, checks=checks))


HEALTH_ROUTES = (live, health, ready)

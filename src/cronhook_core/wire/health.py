"""What probes are told."""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


class HealthStatus(StrEnum):
    """``degraded``: something is missing, and the service works without it."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


@frozen(kw_only=True)
class HealthCheck:
    name: str
    status: HealthStatus
    latency_ms: float


@frozen(kw_only=True)
class Health:
    status: HealthStatus
    checks: tuple[HealthCheck, ...] = ()

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from cronhook_core.backends.releases import Releases
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.lock import Held, Lease


class MemoryLock:
    """The `Lock` of one process. ``clock`` counts the leases' lives; steps of the wall clock do not touch them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leases: dict[str, tuple[Lease, float]] = {}
        self._releases = Releases(clock)

    async def acquire(self, name: str, ttl: timedelta, now: datetime) -> Lease | Held:
        self._releases.asking(name)
        remaining = self._remaining(name)
        if remaining > 0:
            return Held(remaining=timedelta(seconds=remaining))
        lease = Lease(name=name, token=secrets.token_hex(16))
        self._keep(lease, ttl)
        self._releases.granted(name)
        return lease

    async def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> bool:
        if not self._is_valid(lease):
            return False
        self._keep(lease, ttl)
        return True

    async def release(self, lease: Lease, now: datetime) -> None:
        if self._is_valid(lease):
            del self._leases[lease.name]
            self._releases.tell(lease.name)

    async def wait_released(self, name: str, timeout: timedelta) -> None:
        await self._releases.wait(name, timeout)

    def _keep(self, lease: Lease, ttl: timedelta) -> None:
        self._leases[lease.name] = (lease, self._clock.monotonic() + ttl.total_seconds())

    def _is_valid(self, lease: Lease) -> bool:
        held = self._leases.get(lease.name)
        return held is not None and held[0] == lease and self._remaining(lease.name) > 0

    def _remaining(self, name: str) -> float:
        """Seconds that the lease of this name still has; 0 or less when it is free."""
        held = self._leases.get(name)
        return 0.0 if held is None else held[1] - self._clock.monotonic()

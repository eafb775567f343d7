from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from attrs import frozen


@frozen(kw_only=True)
class Lease:
    """The right to hold ``name`` for the time asked for; ``token`` is drawn anew for every acquisition."""

    name: str
    token: str


@frozen(kw_only=True)
class Held:
    """Somebody else holds the lock, for at most ``remaining`` unless they renew it."""

    remaining: timedelta


class Lock(Protocol):
    """Holds named locks, each for a bounded time.

    Contract: at most one lease of a name is valid at a time by the backend's own clock; a lease ends ``ttl`` after
    its acquisition or last renewal. That bounds nothing the holder does: one that was paused may act after its
    lease has ended, so what it does must be harmless. A lost answer leaves a lease that nobody knows of; it ends by
    itself. Errors of the transport come out as ``LockUnavailable``. ``now`` is the caller's time, for backends that
    have no clock of their own.
    """

    async def acquire(self, name: str, ttl: timedelta, now: datetime) -> Lease | Held:
        """Take the lock if it is free or its lease has ended. Not reentrant: whoever holds it gets ``Held`` as well."""

    async def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> bool:
        """Make the lease end ``ttl`` from now. False when it has ended, was released, or is somebody else's by now."""

    async def release(self, lease: Lease, now: datetime) -> None:
        """Give the lock back and wake those who wait. Harmless when the lease has already ended, or twice."""

    async def wait_released(self, name: str, timeout: timedelta) -> None:
        """Return when a release of ``name`` was noticed, at the latest after ``timeout``; noticing may fail."""

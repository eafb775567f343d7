"""Hands releases of locks on to those in this process who wait for them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import timedelta

from cronhook_core.backends.clocks import happens_within
from cronhook_core.ports.clock import Clock


class Releases:
    """The local half of `Lock.wait_released`.

    A release that is told between asking for a lock and waiting for it is noticed as well.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._missed: dict[str, bool] = {}
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def asking(self, name: str) -> None:
        """Somebody is about to ask for this lock; what is released from now on counts."""
        self._missed[name] = False

    def granted(self, name: str) -> None:
        """Whoever asked has the lock, and will not wait for its own release."""
        self._missed.pop(name, None)

    def tell(self, name: str) -> None:
        """A release of this lock was noticed."""
        if name in self._missed:
            self._missed[name] = True
        for released in self._waiting.get(name, ()):
            released.set()

    async def wait(self, name: str, timeout: timedelta) -> None:
        released = asyncio.Event()
        if self._missed.pop(name, False):
            released.set()
        self._waiting[name].add(released)
        try:
            await happens_within(released, timeout.total_seconds(), self._clock)
        finally:
            self._waiting[name].discard(released)
            self._missed.pop(name, None)
            if not self._waiting[name]:
                del self._waiting[name]

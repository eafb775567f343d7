"""API keys that were looked up a moment ago."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime

from attrs import evolve, frozen

from cronhook_core.domain.api_key import ApiKey
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock

KNOWN_FOR_SECONDS = 1.0
"""How long another process may still let a key in that was revoked in this one."""
MOST_KNOWN = 1000


@frozen
class _Known:
    key: ApiKey
    until: float


class KnownKeys:
    """Finds keys by their digests, and remembers each for a second; requests that come together share a look-up.

    Whether a key is valid is for the caller to judge at every request. Only keys that exist are remembered, so that a
    new one is let in at once, and whoever guesses takes up no room. `forget` what was changed in this process.
    """

    def __init__(self, accounts: AccountStore, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._looking: dict[bytes, asyncio.Task[ApiKey | None]] = {}

    def remembered(self, digest: bytes) -> ApiKey | None:
        """The key as it was looked up a second ago at most; None where it must be looked up."""
        known = self._known.get(digest)
        return known.key if known is not None and self._clock.monotonic() < known.until else None

    async def look_up(self, digest: bytes) -> ApiKey | None:
        """As `AccountStore.find_key`."""
        looking = self._looking.get(digest)
        if looking is None:
            looking = self._looking[digest] = asyncio.create_task(self._find(digest))
        return await asyncio.shield(looking)  # who leaves does not take the answer away from the others

    def used(self, key: ApiKey, now: datetime) -> None:
        """The key's last use was recorded."""
        known = self._known.get(key.digest)
        if known is not None:
            self._known[key.digest] = evolve(known, key=evolve(known.key, last_used_at=now))

    def forget(self) -> None:
        """A key was ended: no later request sees what was looked up until now."""
        self._known.clear()
        self._looking.clear()

    async def _find(self, digest: bytes) -> ApiKey | None:
        asked_at, this = self._clock.monotonic(), asyncio.current_task()
        try:
            key = await self._accounts.find_key(digest)
            if key is not None and self._looking.get(digest) is this:
                self._remember(key, asked_at)
        finally:
            if self._looking.get(digest) is this:
                del self._looking[digest]
        return key

    def _remember(self, key: ApiKey, asked_at: float) -> None:
        self._known[key.digest] = _Known(key, asked_at + KNOWN_FOR_SECONDS)
        self._known.move_to_end(key.digest)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

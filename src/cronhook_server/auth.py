"""Who asks: API keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from cronhook_core.domain.api_key import ApiKey, digest_of, is_well_formed
from cronhook_core.errors import Unauthenticated, Unavailable
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock
from cronhook_server.guessing import FailureLimit
from cronhook_server.known_keys import KnownKeys

HEADER = "x-api-key"
USE_RECORDED_EVERY = timedelta(minutes=1)


class Authenticator:
    """Knows keys by their digests under ``pepper``."""

    def __init__(
        self, accounts: AccountStore, known: KnownKeys, *, pepper: bytes, clock: Clock, failures: FailureLimit
    ) -> None:
        self._accounts = accounts
        self._known = known
        self._pepper = pepper
        self._clock = clock
        self._failures = failures
        self._recording: set[str] = set()

    async def authenticate(self, written: Sequence[str], client: Callable[[], str]) -> ApiKey:
        """The valid key that the values of the header name.

        `Unauthenticated`, the same for a key that is missing, malformed, unknown, revoked or expired; what is malformed
        costs no look-up. `RateLimited` instead once the ``client`` has failed too often; only then it is asked for.
        """
        now = self._clock.now()
        key = await self._find(written)
        if key is None or not key.is_valid(now):
            await self._failures.count(client())
            raise Unauthenticated
        await self._record_use(key, now)
        return key

    async def _find(self, written: Sequence[str]) -> ApiKey | None:
        if len(written) != 1:
            return None
        digest = digest_of(written[0], self._pepper)
        known = self._known.remembered(digest)
        if known is not None or not is_well_formed(written[0]):
            return known
        return await self._known.look_up(digest)

    async def _record_use(self, key: ApiKey, now: datetime) -> None:
        """Once a minute and key; of requests that come together, one does it. A request never fails over it."""
        recently = key.last_used_at is not None and now < key.last_used_at + USE_RECORDED_EVERY
        if recently or key.id in self._recording:
            return
        self._recording.add(key.id)
        try:
            with suppress(Unavailable):
                await self._accounts.touch_keys([(key.id, now)])
                self._known.used(key, now)
        finally:
            self._recording.discard(key.id)

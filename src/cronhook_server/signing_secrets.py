"""The signing secret of a workspace as its admins see and rotate it."""

from __future__ import annotations

from datetime import datetime, timedelta

from cronhook_core.domain.signature import derive_signing_secret, encode_secret
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock
from cronhook_core.wire.v1 import SigningSecretRead
from cronhook_server.signing import FIRST_VERSION


class SigningSecrets:
    """Workers learn of a rotation within `signing.CACHED_SECONDS`."""

    def __init__(self, accounts: AccountStore, *, secret_key: str, clock: Clock) -> None:
        self._accounts = accounts
        self._secret_key = secret_key
        self._clock = clock

    async def current(self, workspace_id: str) -> SigningSecretRead:
        versions = await self._accounts.signing_versions(workspace_id)
        if not versions:
            return self._shown(workspace_id, FIRST_VERSION, None)
        newest, *older = versions
        ends_at = older[0].expires_at if older else None
        signs = ends_at is not None and self._clock.now() < ends_at
        return self._shown(workspace_id, newest.version, ends_at if signs else None)

    async def rotate(self, workspace_id: str, *, grace: timedelta) -> SigningSecretRead:
        """A new secret; the one before it signs as well for ``grace``."""
        now = self._clock.now()
        await self._accounts.rotate_signing_secret(workspace_id, now=now, old_expires_at=now + grace)
        return await self.current(workspace_id)

    def _shown(self, workspace_id: str, version: int, previous_expires_at: datetime | None) -> SigningSecretRead:
        secret = derive_signing_secret(self._secret_key, workspace_id=workspace_id, version=version)
        return SigningSecretRead(secret=encode_secret(secret), version=version, previous_expires_at=previous_expires_at)

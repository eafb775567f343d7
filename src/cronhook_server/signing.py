"""The secrets that sign webhooks: derived from the installation's secret, so that none is ever stored."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from attrs import field, frozen

from cronhook_core.domain.signature import derive_signing_secret
from cronhook_core.errors import Unavailable
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock

CACHED_SECONDS = 30.0
WORKSPACES_CACHED = 10_000
FIRST_VERSION = 1


@frozen
class _Secret:
    value: bytes = field(repr=False)
    expires_at: datetime | None


@frozen
class _Known:
    secrets: Sequence[_Secret]
    at: float


class DerivedSigningKeys:
    """The `SigningKeys` of a workspace's versions in the `AccountStore`.

    Callers that ask for one workspace at the same time share one look-up. While the database is away, what was known
    stays in force.
    """

    def __init__(self, accounts: AccountStore, *, secret_key: str, clock: Clock) -> None:
        self._accounts = accounts
        self._secret_key = secret_key
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[Sequence[_Secret]]] = {}

    async def secrets(self, workspace_id: str) -> Sequence[bytes]:
        known = await self._known_secrets(workspace_id)
        now = self._clock.now()
        return [secret.value for secret in known if secret.expires_at is None or now < secret.expires_at]

    async def _known_secrets(self, workspace_id: str) -> Sequence[_Secret]:
        known = self._known.get(workspace_id)
        if known is not None and self._clock.monotonic() - known.at < CACHED_SECONDS:
            return known.secrets
        try:
            return await self._look_up(workspace_id)
        except Unavailable:
            if known is None:
                raise
            return known.secrets

    async def _look_up(self, workspace_id: str) -> Sequence[_Secret]:
        lookup = self._lookups.get(workspace_id)
        if lookup is None:
            lookup = asyncio.create_task(self._fetch(workspace_id))
            self._lookups[workspace_id] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(workspace_id))
        return await asyncio.shield(lookup)

    async def _fetch(self, workspace_id: str) -> Sequence[_Secret]:
        began = self._clock.monotonic()
        versions = await self._accounts.signing_versions(workspace_id)
        secrets = [self._derived(workspace_id, v.version, v.expires_at) for v in versions]
        secrets = secrets or [self._derived(workspace_id, FIRST_VERSION, None)]
        self._known[workspace_id] = _Known(secrets, began)
        self._known.move_to_end(workspace_id)
        if len(self._known) > WORKSPACES_CACHED:
            self._known.popitem(last=False)
        return secrets

    def _derived(self, workspace_id: str, version: int, expires_at: datetime | None) -> _Secret:
        return _Secret(derive_signing_secret(self._secret_key, workspace_id=workspace_id, version=version), expires_at)

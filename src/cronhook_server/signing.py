"""The secrets that sign webhooks: derived from the installation's secret, so that none is ever stored."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from attrs import frozen

from cronhook_core.domain.signature import derive_signing_secret
from cronhook_core.domain.workspace import SigningSecretVersion
from cronhook_core.errors import StoreUnavailable
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock

CACHED_SECONDS = 30.0
WORKSPACES_CACHED = 10_000
FIRST_VERSION = 1


@frozen
class _Known:
    versions: Sequence[SigningSecretVersion]
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
        self._lookups: dict[str, asyncio.Task[Sequence[SigningSecretVersion]]] = {}

    async def secrets(self, workspace_id: str) -> Sequence[bytes]:
        versions = await self._versions(workspace_id)
        now = self._clock.now()
        valid = [v.version for v in versions if v.expires_at is None or now < v.expires_at]
        return [
            derive_signing_secret(self._secret_key, workspace_id=workspace_id, version=version)
            for version in (valid if versions else [FIRST_VERSION])
        ]

    async def _versions(self, workspace_id: str) -> Sequence[SigningSecretVersion]:
        known = self._known.get(workspace_id)
        if known is not None and self._clock.monotonic() - known.at < CACHED_SECONDS:
            return known.versions
        try:
            return await self._look_up(workspace_id)
        except StoreUnavailable:
            if known is None:
                raise
            return known.versions

    async def _look_up(self, workspace_id: str) -> Sequence[SigningSecretVersion]:
        lookup = self._lookups.get(workspace_id)
        if lookup is None:
            lookup = asyncio.create_task(self._fetch(workspace_id))
            self._lookups[workspace_id] = lookup
            lookup.add_done_callback(lambda _: self._lookups.pop(workspace_id))
        return await asyncio.shield(lookup)

    async def _fetch(self, workspace_id: str) -> Sequence[SigningSecretVersion]:
        began = self._clock.monotonic()
        versions = await self._accounts.signing_versions(workspace_id)
        self._known[workspace_id] = _Known(versions, began)
        self._known.move_to_end(workspace_id)
        if len(self._known) > WORKSPACES_CACHED:
            self._known.popitem(last=False)
        return versions

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cronhook_core.backends.sql import accounts
from cronhook_core.backends.sql.database import SqlDatabase
from cronhook_core.domain.api_key import ApiKey
from cronhook_core.domain.workspace import SigningSecretVersion, Workspace


class SqlAccountStore:
    """The `AccountStore` of both SQL databases."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def ensure_workspace(self, workspace: Workspace) -> Workspace:
        return await self._database.write(accounts.ensure_workspace, workspace)

    async def get_workspace(self, workspace_id: str) -> Workspace | None:
        return await self._database.read(accounts.get_workspace, workspace_id)

    async def find_workspace(self, name: str) -> Workspace | None:
        return await self._database.read(accounts.find_workspace, name)

    async def set_max_jobs(self, workspace_id: str, max_jobs: int | None) -> Workspace | None:
        return await self._database.write(accounts.set_max_jobs, workspace_id, max_jobs)

    async def remember_key_id(self, key_id: str, *, anew: bool = False) -> str:
        stored = None if anew else await self._database.read(accounts.stored_key_id)
        return await self._database.write(accounts.remember_key_id, key_id, anew) if stored is None else stored

    async def add_key(self, key: ApiKey, *, max_keys: int | None = None) -> None:
        await self._database.write(accounts.add_key, key, max_keys)

    async def find_key(self, digest: bytes) -> ApiKey | None:
        return await self._database.read(accounts.find_key, digest)

    async def list_keys(self, workspace_id: str) -> Sequence[ApiKey]:
        return await self._database.read(accounts.list_keys, workspace_id)

    async def end_key(
        self, workspace_id: str, key_id: str, *, revoked_at: datetime | None, expires_at: datetime | None
    ) -> ApiKey | None:
        return await self._database.write(accounts.end_key, workspace_id, key_id, revoked_at, expires_at)

    async def replace_key(
        self,
        key_id: str,
        new: ApiKey,
        *,
        revoked_at: datetime | None,
        expires_at: datetime | None,
        max_keys: int | None = None,
    ) -> bool:
        return await self._database.write(accounts.replace_key, key_id, new, revoked_at, expires_at, max_keys)

    async def touch_keys(self, used: Sequence[tuple[str, datetime]]) -> None:
        await self._database.write(accounts.touch_keys, used)

    async def signing_versions(self, workspace_id: str) -> Sequence[SigningSecretVersion]:
        return await self._database.read(accounts.signing_versions, workspace_id)

    async def rotate_signing_secret(
        self, workspace_id: str, *, now: datetime, old_expires_at: datetime
    ) -> SigningSecretVersion:
        return await self._database.write(accounts.rotate_signing_secret, workspace_id, now, old_expires_at)

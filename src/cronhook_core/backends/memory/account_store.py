from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import evolve

from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.domain.api_key import ApiKey
from cronhook_core.domain.workspace import SigningSecretVersion, Workspace
from cronhook_core.errors import NotFound, Quota, QuotaExceeded


class MemoryAccountStore:
    """The `AccountStore` of one process, beside the `MemoryJobStore` on the same ``database``."""

    def __init__(self, database: MemoryDatabase | None = None) -> None:
        self._db = MemoryDatabase() if database is None else database

    async def ensure_workspace(self, workspace: Workspace) -> Workspace:
        stored = await self.find_workspace(workspace.name) or workspace
        self._db.workspaces[stored.id] = stored
        return stored

    async def get_workspace(self, workspace_id: str) -> Workspace | None:
        return self._db.workspaces.get(workspace_id)

    async def find_workspace(self, name: str) -> Workspace | None:
        return next((stored for stored in self._db.workspaces.values() if stored.name == name), None)

    async def set_max_jobs(self, workspace_id: str, max_jobs: int | None) -> Workspace | None:
        stored = self._db.workspaces.get(workspace_id)
        if stored is not None:
            self._db.workspaces[workspace_id] = stored = evolve(stored, max_jobs=max_jobs)
        return stored

    async def remember_key_id(self, key_id: str, *, anew: bool = False) -> str:
        if self._db.key_id is None or anew:
            self._db.key_id = key_id
        return self._db.key_id

    async def add_key(self, key: ApiKey, *, max_keys: int | None = None) -> None:
        self._require_workspace(key.workspace_id)
        if key.id in self._db.keys:
            return
        if max_keys is not None:
            await self._make_room(key, max_keys)
        self._db.keys[key.id] = key
        self._db.key_ids[key.digest] = key.id

    async def _make_room(self, key: ApiKey, max_keys: int) -> None:
        keys = await self.list_keys(key.workspace_id)
        ended = [one for one in keys if not one.is_valid(key.created_at)]
        if len(keys) - len(ended) >= max_keys:
            raise QuotaExceeded(max_keys, Quota.KEYS)
        for one in ended[max_keys:]:
            del self._db.keys[one.id], self._db.key_ids[one.digest]

    async def find_key(self, digest: bytes) -> ApiKey | None:
        key_id = self._db.key_ids.get(digest)
        return None if key_id is None else self._db.keys[key_id]

    async def list_keys(self, workspace_id: str) -> Sequence[ApiKey]:
        keys = [key for key in self._db.keys.values() if key.workspace_id == workspace_id]
        return sorted(keys, key=lambda key: key.id, reverse=True)

    async def end_key(
        self, workspace_id: str, key_id: str, *, revoked_at: datetime | None, expires_at: datetime | None
    ) -> ApiKey | None:
        key = self._db.keys.get(key_id)
        if key is None or key.workspace_id != workspace_id:
            return None
        ended = evolve(
            key,
            revoked_at=_earlier(key.revoked_at, revoked_at),
            expires_at=_earlier(key.expires_at, expires_at),
        )
        self._db.keys[key_id] = ended
        return ended

    async def replace_key(
        self,
        key_id: str,
        new: ApiKey,
        *,
        revoked_at: datetime | None,
        expires_at: datetime | None,
        max_keys: int | None = None,
    ) -> bool:
        old = self._db.keys.get(key_id)
        if old is None or old.workspace_id != new.workspace_id or not old.may_be_replaced(new.created_at):
            return False
        await self.end_key(new.workspace_id, key_id, revoked_at=revoked_at, expires_at=expires_at)
        try:
            await self.add_key(new, max_keys=max_keys)
        except QuotaExceeded:
            self._db.keys[key_id] = old
            raise
        return True

    async def touch_keys(self, used: Sequence[tuple[str, datetime]]) -> None:
        for key_id, at in used:
            key = self._db.keys.get(key_id)
            if key is not None and (key.last_used_at is None or key.last_used_at < at):
                self._db.keys[key_id] = evolve(key, last_used_at=at)

    async def signing_versions(self, workspace_id: str) -> Sequence[SigningSecretVersion]:
        return self._db.secret_versions.get(workspace_id, [])[::-1]

    async def rotate_signing_secret(
        self, workspace_id: str, *, now: datetime, old_expires_at: datetime
    ) -> SigningSecretVersion:
        workspace = self._require_workspace(workspace_id)
        first = SigningSecretVersion(workspace_id=workspace_id, version=1, created_at=workspace.created_at)
        *older, current = self._db.secret_versions.get(workspace_id, [first])
        added = SigningSecretVersion(workspace_id=workspace_id, version=current.version + 1, created_at=now)
        self._db.secret_versions[workspace_id] = [*older, evolve(current, expires_at=old_expires_at), added]
        return added

    def _require_workspace(self, workspace_id: str) -> Workspace:
        workspace = self._db.workspaces.get(workspace_id)
        if workspace is None:
            raise NotFound("workspace", workspace_id)
        return workspace


def _earlier(stored: datetime | None, wanted: datetime | None) -> datetime | None:
    """The earlier of two instants, None being no instant at all."""
    return min((instant for instant in (stored, wanted) if instant is not None), default=None)

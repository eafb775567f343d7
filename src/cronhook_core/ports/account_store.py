from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cronhook_core.domain.api_key import ApiKey
from cronhook_core.domain.workspace import SigningSecretVersion, Workspace


class AccountStore(Protocol):
    """Keeps workspaces, API keys and versions of signing secrets.

    Contract: what a method returned is durable and seen by every later call on any node. Secrets are never here: keys
    are stored as digests, signing secrets as version numbers. A database that is away raises ``StoreUnavailable``,
    a write that waited too long for another transaction ``StoreBusy``.
    """

    async def ensure_workspace(self, workspace: Workspace) -> Workspace:
        """Store the workspace, or return the one that already has its name. Racing callers all get the same one."""

    async def get_workspace(self, workspace_id: str) -> Workspace | None: ...

    async def find_workspace(self, name: str) -> Workspace | None:
        """The workspace that has exactly this name; None when there is none."""

    async def set_max_jobs(self, workspace_id: str, max_jobs: int | None) -> Workspace | None:
        """Give a workspace a limit of its own, or the server's (None); jobs beyond it stay. None: no such workspace."""

    async def remember_key_id(self, key_id: str, *, anew: bool = False) -> str:
        """Store which secret the keys follow from, unless one is stored already; what is stored now.

        ``anew`` replaces it. Racing callers all get the same answer.
        """

    async def add_key(self, key: ApiKey, *, max_keys: int | None = None) -> None:
        """Store a key of an existing workspace (``NotFound`` otherwise). Repeating it with the same id is a no-op.

        ``QuotaExceeded`` when ``max_keys`` of the workspace are valid at ``key.created_at``, exactly at the limit also
        when callers race. Of its ended keys the ``max_keys`` newest are kept, and older ones are deleted. None: no
        limit, and nothing is deleted.
        """

    async def find_key(self, digest: bytes) -> ApiKey | None:
        """The key with this digest, revoked and expired ones included; None when there is none."""

    async def list_keys(self, workspace_id: str) -> Sequence[ApiKey]:
        """All keys of a workspace, newest first (by id, descending), revoked and expired ones included."""

    async def end_key(
        self, workspace_id: str, key_id: str, *, revoked_at: datetime | None, expires_at: datetime | None
    ) -> ApiKey | None:
        """Revoke a key, or bring its expiry forward; an earlier end already stored stays. None: no such key here."""

    async def replace_key(
        self,
        key_id: str,
        new: ApiKey,
        *,
        revoked_at: datetime | None,
        expires_at: datetime | None,
        max_keys: int | None = None,
    ) -> bool:
        """Add ``new`` and end the key ``key_id`` of its workspace as `end_key` does: both, or neither.

        False, and nothing done, when there is no such key here, or it was revoked or expired before ``new.created_at``.
        Of racing callers that all revoke it, one gets True, whatever their clocks say. ``max_keys`` as in `add_key`,
        judged after the end of the old key: one that is replaced without grace always leaves room for the new one.
        """

    async def touch_keys(self, used: Sequence[tuple[str, datetime]]) -> None:
        """Record when keys (by id) were last used.

        An earlier instant than the stored one changes nothing, an unknown id neither; the same key may come twice.
        """

    async def signing_versions(self, workspace_id: str) -> Sequence[SigningSecretVersion]:
        """All versions of the workspace's signing secret, newest first; empty when none was ever rotated in."""

    async def rotate_signing_secret(
        self, workspace_id: str, *, now: datetime, old_expires_at: datetime
    ) -> SigningSecretVersion:
        """Add the next version; the one that was current signs beside it until ``old_expires_at``.

        A workspace without any stored version is at version 1, as old as itself. Racing callers each add one.
        ``NotFound`` for an unknown workspace.
        """

"""API keys, for coroutines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cronhook_client import _calls
from cronhook_client.async_resources.resource import AsyncResource
from cronhook_client.words import ScopeWord
from cronhook_core.wire.v1 import KeyList, KeyMade


class AsyncKeys(AsyncResource):
    """The API keys of the workspace. All of it needs a key with the scope ``admin``.

    Making and rotating a key is never tried again where the server may have done it: the answer, which alone shows the
    new key, would be lost.
    """

    async def create(self, *, name: str, scopes: Sequence[ScopeWord], expires_at: datetime | None = None) -> KeyMade:
        """Make a key. Its text, ``key``, is shown this once and kept nowhere.

        Args:
            name: For people, 1 to 200 characters.
            scopes: What it may do: ``read``, ``write``, ``admin``.
            expires_at: An instant ahead, aware of its offset. None: it does not expire by itself.
        """
        return await self._send(_calls.create_key(name=name, scopes=scopes, expires_at=expires_at))

    async def list(self) -> KeyList:
        """All keys, in ``data``: the newest first, revoked and expired ones included, without their texts."""
        return await self._send(_calls.list_keys())

    async def revoke(self, key_id: str) -> None:
        """The key is refused from now on."""
        return await self._send(_calls.revoke_key(key_id))

    async def rotate(self, key_id: str, *, grace_seconds: float | None = None) -> KeyMade:
        """Make a key of the same name and scopes in its place.

        ``grace_seconds``: how long the old one stays valid; None: it ends at once.
        """
        return await self._send(_calls.rotate_key(key_id, grace_seconds=grace_seconds))

"""The workspace, for coroutines."""

from __future__ import annotations

from cronhook_client import _calls
from cronhook_client.async_resources.resource import AsyncResource
from cronhook_core.wire.v1 import SigningSecretRead, WorkspaceRead


class AsyncWorkspace(AsyncResource):
    """The workspace that the API key belongs to."""

    async def get(self) -> WorkspaceRead:
        """Its name, and its limits beside what is used of them."""
        return await self._send(_calls.get_workspace())

    async def signing_secret(self) -> SigningSecretRead:
        """The secret that signs its webhooks, for `cronhook_client.Webhook`. Needs the scope ``admin``."""
        return await self._send(_calls.get_signing_secret())

    async def rotate_signing_secret(self, *, grace_seconds: float | None = None) -> SigningSecretRead:
        """Sign with a new secret from now on. Needs the scope ``admin``.

        ``grace_seconds``: how long the old one signs beside it, so that receivers can change one after the other.
        None: a day. Never tried again where the server may have done it.
        """
        return await self._send(_calls.rotate_signing_secret(grace_seconds=grace_seconds))

"""The workspace."""

from __future__ import annotations

from cronhook_client import _calls
from cronhook_client.resources.resource import Resource
from cronhook_core.wire.v1 import SigningSecretRead, WorkspaceRead


class Workspace(Resource):
    """The workspace that the API key belongs to."""

    def get(self) -> WorkspaceRead:
        """Its name, and its limits beside what is used of them."""
        return self._send(_calls.get_workspace())

    def signing_secret(self) -> SigningSecretRead:
        """The secret that signs its webhooks, for `cronhook_client.Webhook`. Needs the scope ``admin``."""
        return self._send(_calls.get_signing_secret())

    def rotate_signing_secret(self, *, grace_seconds: float | None = None) -> SigningSecretRead:
        """Sign with a new secret from now on. Needs the scope ``admin``.

        ``grace_seconds``: how long the old one signs beside it, so that receivers can change one after the other.
        None: a day. Never tried again where the server may have done it.
        """
        return self._send(_calls.rotate_signing_secret(grace_seconds=grace_seconds))

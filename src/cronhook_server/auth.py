"""Who asks: API keys."""

from __future__ import annotations

from collections.abc import Sequence

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from cronhook_core.domain.api_key import ApiKey, Scope, digest_of, is_well_formed
from cronhook_core.errors import Forbidden, Unauthenticated
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock

HEADER = "x-api-key"


class Authenticator:
    """Knows keys by their digests under ``pepper``."""

    def __init__(self, accounts: AccountStore, *, pepper: bytes, clock: Clock) -> None:
        self._accounts = accounts
        self._pepper = pepper
        self._clock = clock

    async def authenticate(self, written: Sequence[str]) -> ApiKey:
        """The valid key that the values of the header name.

        `Unauthenticated`, the same for a key that is missing, malformed, unknown, revoked or expired; what is malformed
        costs no look-up.
        """
        if len(written) != 1 or not is_well_formed(written[0]):
            raise Unauthenticated
        key = await self._accounts.find_key(digest_of(written[0], self._pepper))
        if key is None or not key.is_valid(self._clock.now()):
            raise Unauthenticated
        return key


def requires(scope: Scope) -> Guard:
    """A guard that lets valid keys with this scope pass and leaves the key to the request."""

    async def guard(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        authenticator: Authenticator = connection.app.state.services.authenticator
        key = await authenticator.authenticate(connection.headers.getall(HEADER, []))
        if scope not in key.scopes:
            raise Forbidden(scope.value)
        connection.state.caller = key

    return guard

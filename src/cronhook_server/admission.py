"""Which requests are admitted to their routes."""

from __future__ import annotations

from cronhook_core.domain.api_key import Scope
from cronhook_core.errors import Forbidden, RateLimited
from cronhook_server.api_request import ApiRequest
from cronhook_server.auth import HEADER
from cronhook_server.client_address import client_of

_HEADER = HEADER.encode()
_NEEDED = "needed_scope"


def requires(scope: Scope) -> dict[str, Scope]:
    """The ``opt`` of a route that lets valid keys with this scope pass (see `admit`)."""
    return {_NEEDED: scope}


async def admit(request: ApiRequest) -> None:
    """Let a request pass whose key has the scope that its route requires, and is not used too often.

    The key is left to the request, which waits here while the key's budget of CPU time is overdrawn.

    Not a guard of Litestar: for each guard that copies the whole handler, at every request.
    """
    needed: Scope | None = request.route_handler.opt.get(_NEEDED)
    if needed is None:
        return
    services, scope = request.services, request.scope
    written = request.headers_named(_HEADER)
    key = await services.authenticator.authenticate(
        written, lambda: client_of(scope, services.settings.trusted_proxies)
    )
    if services.request_rate is not None:
        counted = services.request_rate.count(key.id)
        request.answer_with(counted.headers)
        if counted.wait is not None:
            raise RateLimited(counted.wait, "too many requests with this API key; wait before the next one")
    if needed not in key.scopes:
        raise Forbidden(needed.value)
    request.let_in(key)
    await services.cpu.turn(key.id)

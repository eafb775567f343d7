"""A request as the routes see it."""

from __future__ import annotations

from typing import Any

from litestar import Request

from cronhook_core.domain.api_key import ApiKey
from cronhook_core.domain.ids import is_id
from cronhook_core.errors import NotFound
from cronhook_server.bytes_under_way import HeldBytes
from cronhook_server.request_scope import CALLER, HELD, MORE_HEADERS
from cronhook_server.services import Services

_PREFIXES = {"job": "job", "execution": "exe", "key": "key"}
_MOST_TOLD = 64


class ApiRequest(Request[Any, Any, Any]):
    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    @property
    def caller(self) -> ApiKey:
        """The key that a route was called with which requires one."""
        caller: ApiKey = self.scope[CALLER]  # type: ignore[literal-required]  # Litestar lists what it knows itself
        return caller

    def let_in(self, key: ApiKey) -> None:
        self.scope[CALLER] = key  # type: ignore[literal-required]

    async def hold(self, size: int) -> None:
        """Wait until this process has room for ``size`` more bytes; they are this request's until it is answered."""
        held: HeldBytes = self.scope[HELD]  # type: ignore[literal-required]
        await held.grow(self.caller.id, size)

    def answer_with(self, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        """Headers that the answer has, whatever becomes of the request."""
        self.scope[MORE_HEADERS] = headers  # type: ignore[literal-required]

    def headers_named(self, name: bytes) -> list[str]:
        """The values of all headers with this name, which is in lower case."""
        return [value.decode("latin-1") for own, value in self.scope["headers"] if own == name]

    def path_id(self, kind: str) -> str:
        """The path's ``{<kind>_id}``. A malformed one is answered as an unknown one, and never reaches a query."""
        identifier: str = self.path_params[f"{kind}_id"]
        if not is_id(_PREFIXES[kind], identifier):
            raise NotFound(kind, identifier[:_MOST_TOLD])
        return identifier

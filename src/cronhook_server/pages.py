"""The few pages of a process whose API is not there, or not yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from attrs import frozen

from cronhook_core.wire.converter import to_json
from cronhook_core.wire.problem import RETRY_AFTER_SECONDS, problem
from cronhook_core.wire.strict_json import render_json
from cronhook_core.wire.v1 import Health, HealthCheck, HealthStatus
from cronhook_server.request_scope import EVERY_ANSWER, AsgiApp, new_request_id

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]

JSON = "application/json"
PROBLEM = "application/problem+json"
MAX_INSTANCE_LENGTH = 512


@frozen(kw_only=True)
class Page:
    """``body`` may be asked for anew with every request."""

    content_type: str
    body: Callable[[], Awaitable[bytes]]
    status: int = 200


def page(body: bytes, content_type: str, status: int = 200) -> Page:
    """A page that is always the same."""

    async def same() -> bytes:
        return body

    return Page(content_type=content_type, body=same, status=status)


def _health(status: HealthStatus, *checks: HealthCheck) -> bytes:
    return render_json(to_json(Health(status=status, checks=checks)))


_WITHOUT_DATABASE = _health(
    HealthStatus.FAILING, HealthCheck(name="database", status=HealthStatus.FAILING, latency_ms=0.0)
)
LIVE = page(_health(HealthStatus.OK), JSON)
WAITING = {
    "/livez": LIVE,
    "/health": page(_WITHOUT_DATABASE, JSON, status=500),
    "/readyz": page(_WITHOUT_DATABASE, JSON, status=503),
}
"""What is told while a process waits for its database."""


_METHODS = ("GET", "HEAD")


class Pages:
    """An ASGI application of pages by path; any other path is answered with the problem of ``otherwise``, a code."""

    def __init__(self, pages: Mapping[str, Page], *, otherwise: str = "not_found") -> None:
        self._pages = pages
        self._otherwise = otherwise

    async def __call__(
        self,
        scope: _Scope,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        request_id = new_request_id()
        found = self._pages.get(scope["path"]) or self._refusal(self._otherwise, scope["path"], request_id)
        if scope["path"] in self._pages and scope["method"] not in _METHODS:
            found = self._refusal("method_not_allowed", scope["path"], request_id)
        body = await found.body()
        headers = [
            (b"content-type", found.content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            *EVERY_ANSWER,
        ]
        if found.status == 405:
            headers.append((b"allow", ", ".join(_METHODS).encode()))
        if found.status == 503 and found.content_type == PROBLEM:
            headers.append((b"retry-after", str(RETRY_AFTER_SECONDS[self._otherwise]).encode()))
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _refusal(self, code: str, path: str, request_id: str) -> Page:
        instance = path[:MAX_INSTANCE_LENGTH]
        detail = f"Ask for {instance} with GET." if code == "method_not_allowed" else f"There is nothing at {instance}."
        told = problem(code, detail, instance=instance, request_id=request_id)
        return page(render_json(to_json(told)), PROBLEM, told.status)


class Front:
    """Serves ``app``, which may be replaced while it serves."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(
        self,
        scope: _Scope,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        await self.app(scope, receive, send)

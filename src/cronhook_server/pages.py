"""The few pages of a process whose API is not there, or not yet: `/livez` and `/metrics`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from attrs import frozen

from cronhook_server.request_scope import AsgiApp

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]

JSON = "application/json"
PROBLEM = "application/problem+json"
RETRY_AFTER_SECONDS = 1


@frozen(kw_only=True)
class Page:
    """``body`` may be asked for anew with every request."""

    content_type: str
    body: Callable[[], Awaitable[bytes]]
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


async def _alive() -> bytes:
    return b'{"status":"ok","checks":[]}'


async def _starting() -> bytes:
    return b'{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"The server is starting."}'


async def _unknown() -> bytes:
    return b'{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no such page."}'


LIVE = Page(content_type=JSON, body=_alive)
UNKNOWN = Page(content_type=PROBLEM, body=_unknown, status=404)
STARTING = Page(
    content_type=PROBLEM,
    body=_starting,
    status=503,
    headers=((b"retry-after", str(RETRY_AFTER_SECONDS).encode()),),
)


class Pages:
    """An ASGI application of pages by path; any other path is answered with ``otherwise``."""

    def __init__(self, pages: dict[str, Page], *, otherwise: Page = UNKNOWN) -> None:
        self._pages = pages
        self._otherwise = otherwise

    async def __call__(
        self,
        scope: _Scope,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        page = self._pages.get(scope["path"], self._otherwise)
        body = await page.body()
        headers = [
            (b"content-type", page.content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            *page.headers,
        ]
        await send({"type": "http.response.start", "status": page.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


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

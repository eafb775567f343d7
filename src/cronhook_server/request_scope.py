"""What holds for every request, whichever route it finds: an id, a line in the log, headers of every answer."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from itertools import count
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from cronhook_server.request_metrics import RequestMetrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUEST_ID = "cronhook_request_id"
CALLER = "cronhook_caller"
HELD = "cronhook_held_bytes"
MORE_HEADERS = "cronhook_more_headers"
MAX_LOGGED_PATH = 200
_QUIET_ROUTES = frozenset({"/livez", "/readyz", "/health", "/metrics"})
EVERY_ANSWER = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
"""Headers of every response: what a browser shows may load nothing, be framed nowhere and be kept nowhere."""


_LAST_OF_ITS_CONNECTION = ((b"connection", b"close"),)


def new_request_id() -> str:
    return f"req_{secrets.token_hex(12)}"


def request_id_of(scope: Mapping[str, object]) -> str:
    return str(scope.get(REQUEST_ID, ""))


class RequestScope:
    """Wraps an ASGI application."""

    def __init__(self, app: AsgiApp, metrics: RequestMetrics, *, log_requests: bool = True) -> None:
        self._app = app
        self._metrics = metrics
        self._begin_of_ids, self._numbers = secrets.token_hex(8), count(1)
        self._log = structlog.get_logger("cronhook.api").bind() if log_requests else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{self._begin_of_ids}{next(self._numbers) & 0xFFFF_FFFF:08x}"
        scope[REQUEST_ID] = request_id
        asked = scope["method"]
        if asked == "HEAD":  # as GET; the server of connections sends no body (RFC 9110, section 9.3.2)
            scope = {**scope, "method": "GET"}
        began = time.perf_counter()
        status = 0
        last = _LAST_OF_ITS_CONNECTION if _has_two_lengths(scope) else ()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", request_id.encode())
                more = scope.get(MORE_HEADERS, ())
                message["headers"] = [*map(_with_head, message.get("headers", ())), own, *more, *EVERY_ANSWER, *last]
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - began
            if self._log is not None:
                _log_request(self._log, scope, asked, status, seconds)
            self._metrics.answered(asked, _template(scope), status, seconds)
            structlog.contextvars.reset_contextvars(**bound)


def _with_head(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """HEAD is allowed where GET is."""
    name, value = header
    return (name, value.replace(b"GET", b"GET, HEAD", 1)) if name == b"allow" and b"HEAD" not in value else header


def _has_two_lengths(scope: Scope) -> bool:
    """Such a request may look shorter to a proxy than it does here; what follows it is not read (RFC 9112, 6.1)."""
    names = {name for name, _ in scope["headers"]}
    return b"transfer-encoding" in names and b"content-length" in names


def _template(scope: Scope) -> str | None:
    """The route as it is declared; None where the path is no route."""
    template: str | None = scope.get("path_template")
    return template or None


def _log_request(log: FilteringBoundLogger, scope: Scope, method: str, status: int, seconds: float) -> None:
    route = _template(scope) or scope["path"][:MAX_LOGGED_PATH]
    caller = scope.get(CALLER)
    told = {} if caller is None else {"workspace_id": caller.workspace_id, "key_id": caller.id}
    write = log.debug if route in _QUIET_ROUTES else log.info
    write("request", method=method, route=route, status=status, duration_ms=round(seconds * 1000, 1), **told)

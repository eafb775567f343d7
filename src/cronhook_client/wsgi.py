"""Lets only verified webhooks through to a WSGI application: Flask, Django and others.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import responses
from io import BytesIO
from typing import Any

from cronhook_client._receiving import (
    DELIVERY,
    MAX_BODY_BYTES,
    UNDER_WAY_SECONDS,
    Paths,
    Reply,
    delivery_in,
    refused,
    seen_before,
    too_large,
    whole_seconds,
)
from cronhook_client.seen import Seen, Sighting
from cronhook_client.webhook_errors import WebhookVerificationError
from cronhook_client.webhooks import Delivery, Webhook

__all__ = ["VerifyWebhooks", "delivery_of"]

_Environ = dict[str, Any]
_StartResponse = Callable[..., Any]
_App = Callable[[_Environ, Any], Iterable[bytes]]


class VerifyWebhooks:
    """A wrapper of a WSGI application; what it does is what `cronhook_client.asgi.VerifyWebhooks` does."""

    def __init__(
        self,
        app: _App,
        webhook: Webhook,
        *,
        paths: str | Iterable[str] | None = None,
        seen: Seen | None = None,
        under_way_seconds: float = UNDER_WAY_SECONDS,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._webhook = webhook
        self._paths = Paths(paths)
        self._seen = seen
        self._under_way_seconds = whole_seconds(under_way_seconds)
        self._max_body_bytes = max_body_bytes

    def __call__(self, environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
        if not self._paths.cover(_text(environ, "SCRIPT_NAME"), _text(environ, "PATH_INFO")):
            return self._app(environ, start_response)
        verified = self._verified(environ)
        if isinstance(verified, Reply):
            return _reply(start_response, verified)
        environ |= {DELIVERY: verified, "wsgi.input": BytesIO(verified.body)}
        environ["CONTENT_LENGTH"] = str(len(verified.body))
        return self._deliver(verified, environ, start_response)

    def _verified(self, environ: _Environ) -> Delivery | Reply:
        body = _body(environ, self._max_body_bytes)
        if len(body) > self._max_body_bytes:
            return too_large(self._max_body_bytes)
        try:
            return self._webhook.verify(body, _headers(environ))
        except WebhookVerificationError as error:
            return refused(error)

    def _deliver(self, delivery: Delivery, environ: _Environ, start_response: _StartResponse) -> Iterable[bytes]:
        if self._seen is None:
            return self._app(environ, start_response)
        sighting = self._seen.begin(delivery.execution_id)
        if sighting is not Sighting.NEW:
            return _reply(start_response, seen_before(sighting, self._under_way_seconds))
        return _Watched(self._app, environ, start_response, self._seen, delivery.execution_id)


def delivery_of(environ: Mapping[str, Any]) -> Delivery:
    """The verified webhook of a request, by its WSGI environ; LookupError where the request was not verified."""
    return delivery_in(environ)


class _Watched:
    """An application's answer to one request; says in the end whether the execution was handled.

    The application may only begin its answer when it is iterated over (PEP 3333), and is done when it is closed. One
    that was not iterated over to its end, because the server lost its client, may have stopped half way.
    """

    def __init__(
        self, app: _App, environ: _Environ, start_response: _StartResponse, seen: Seen, execution_id: str
    ) -> None:
        self._start_response = start_response
        self._seen = seen
        self._execution_id = execution_id
        self._status = ""
        self._left: int | None = None
        try:
            self._parts = app(environ, self._start)
        except BaseException:
            self._end(handled=False)
            raise
        self._done = isinstance(self._parts, list | tuple)

    def _start(self, status: str, headers: Any, *further: Any) -> Any:
        self._status = status
        self._left = _length(headers)
        return self._start_response(status, headers, *further)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._parts:
                if self._left is not None:
                    self._left -= len(part)
                    self._done = self._done or self._left <= 0  # also if nobody is there to take the last of it
                yield part
            self._done = True
        except BaseException:
            self._status = ""
            raise

    def close(self) -> None:
        try:
            getattr(self._parts, "close", lambda: None)()
        finally:
            self._end(handled=self._done and self._status.startswith("2"))

    def _end(self, *, handled: bool) -> None:
        self._seen.end(self._execution_id, handled=handled)


def _length(headers: Iterable[tuple[str, str]]) -> int | None:
    """Bytes of the answer, where the application says so."""
    told = next((value for name, value in headers if name.lower() == "content-length"), "")
    return int(told) if told.isascii() and told.isdigit() else None


def _text(environ: _Environ, name: str) -> str:
    """PEP 3333 hides UTF-8 in Latin-1."""
    hidden: str = environ.get(name, "")
    return hidden.encode("latin-1", "replace").decode("utf-8", "replace")


def _body(environ: _Environ, limit: int) -> bytes:
    """The body, or more than ``limit`` bytes where it is longer."""
    written = environ.get("CONTENT_LENGTH") or ""
    if written.isascii() and written.isdigit():
        length = min(int(written), limit + 1)
    else:
        length = limit + 1 if environ.get("wsgi.input_terminated") else 0
    body: bytes = environ["wsgi.input"].read(length)
    return body


def _headers(environ: _Environ) -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }


def _reply(start_response: _StartResponse, reply: Reply) -> list[bytes]:
    start_response(f"{reply.status} {responses[reply.status]}", reply.headers)
    return [reply.body]

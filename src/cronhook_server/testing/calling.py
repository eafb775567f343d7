"""One request to an application in this process: ASGI, WSGI, or a plain function."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from inspect import isawaitable, iscoroutinefunction
from io import BytesIO
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from attrs import define, field, frozen

_Message = MutableMapping[str, Any]
AsgiApp = Callable[[Any, Any, Any], Awaitable[Any]]
WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]
Function = Callable[[bytes, dict[str, str]], int | Awaitable[int | None] | None]


@frozen(kw_only=True)
class Ask:
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@define(kw_only=True)
class Answer:
    """``error`` is what the application raised, before or after it answered; ``status`` is 500 where it did not."""

    status: int = 500
    headers: list[tuple[str, str]] = field(factory=list)
    body: bytes = b""
    error: Exception | None = None


Call = Callable[[Ask], Awaitable[Answer]]


def asgi(app: AsgiApp) -> Call:
    """Speaks ASGI 3 to ``app``. Its lifespan is not run."""

    async def call(ask: Ask) -> Answer:
        answer, done = Answer(), asyncio.Event()
        messages: list[_Message] = [{"type": "http.request", "body": ask.body, "more_body": False}]

        async def receive() -> _Message:
            if not messages:
                await done.wait()
                return {"type": "http.disconnect"}
            return messages.pop()

        async def send(message: _Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(_text(name), _text(value)) for name, value in message.get("headers", ())]
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")
                if not message.get("more_body", False):
                    done.set()

        try:
            await app(_scope(ask), receive, send)
        except Exception as error:  # noqa: BLE001 - whatever an application raises is told to the test
            answer.error = error
        return answer

    return call


def wsgi(app: WsgiApp) -> Call:
    """Speaks WSGI (PEP 3333) to ``app``, in a thread."""

    def in_thread(ask: Ask) -> Answer:
        answer = Answer()

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], Any]:
            answer.status, answer.headers = int(status.split()[0]), list(headers)
            return written.append

        written: list[bytes] = []
        try:
            parts = app(_environ(ask), start_response)
            try:
                written.extend(parts)
            finally:
                getattr(parts, "close", lambda: None)()
        except Exception as error:  # noqa: BLE001 - as above
            answer.error = error
        answer.body = b"".join(written)
        return answer

    return lambda ask: asyncio.to_thread(in_thread, ask)


def function(handler: Function) -> Call:
    """Calls ``handler(body, headers)``: awaits a coroutine, and has a thread for one that is none.

    What it returns is the status; None is 200.
    """

    async def call(ask: Ask) -> Answer:
        answer = Answer()
        try:
            if iscoroutinefunction(handler):
                status = await handler(ask.body, dict(ask.headers))
            else:
                returned = await asyncio.to_thread(handler, ask.body, dict(ask.headers))
                status = await returned if isawaitable(returned) else returned
            answer.status = 200 if status is None else status
        except Exception as error:  # noqa: BLE001 - as above
            answer.error = error
        return answer

    return call


def _scope(ask: Ask) -> _Message:
    url = urlsplit(ask.url)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": ask.method,
        "scheme": url.scheme,
        "path": unquote(url.path) or "/",
        "raw_path": (url.path or "/").encode("ascii", "replace"),
        "query_string": url.query.encode("ascii", "replace"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in _headers(ask).items()],
        "client": ("127.0.0.1", 40_000),
        "server": (url.hostname or "", url.port or (443 if url.scheme == "https" else 80)),
        "state": {},
    }


def _environ(ask: Ask) -> dict[str, Any]:
    url = urlsplit(ask.url)
    headers = _headers(ask)
    return {
        "REQUEST_METHOD": ask.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "CONTENT_TYPE": headers.pop("content-type", ""),
        "CONTENT_LENGTH": headers.pop("content-length"),
        "SERVER_NAME": url.hostname or "",
        "SERVER_PORT": str(url.port or (443 if url.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": BytesIO(ask.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }


def _headers(ask: Ask) -> dict[str, str]:
    own: Mapping[str, str] = {"host": urlsplit(ask.url).netloc, "content-length": str(len(ask.body))}
    return {**own, **{name.lower(): value for name, value in ask.headers}}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")

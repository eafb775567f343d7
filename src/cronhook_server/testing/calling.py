"""One request to an application in this process: ASGI, WSGI, or a plain function."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from inspect import isawaitable, iscoroutinefunction
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from attrs import define, field, frozen

T = TypeVar("T")

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
    """What a call of an application fills in. ``error`` is what that raised, before or after it answered.

    ``status`` is 500 where it did not answer; ``begun``: the status is out, ``complete``: so is all of the body.
    """

    status: int = 500
    headers: list[tuple[str, str]] = field(factory=list)
    body: bytes = b""
    error: BaseException | None = None
    begun: bool = False
    complete: asyncio.Event = field(factory=asyncio.Event)


Call = Callable[[Ask, Answer], Awaitable[None]]


def asgi(app: AsgiApp) -> Call:
    """Speaks ASGI 3 to ``app``. Its lifespan is not run."""

    async def call(ask: Ask, answer: Answer) -> None:
        messages: list[_Message] = [{"type": "http.request", "body": ask.body, "more_body": False}]

        async def receive() -> _Message:
            if not messages:
                await answer.complete.wait()
                return {"type": "http.disconnect"}
            return messages.pop()

        async def send(message: _Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.begun = message["status"], True
                answer.headers = [(_text(name), _text(value)) for name, value in message.get("headers", ())]
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")
                if not message.get("more_body", False):
                    answer.complete.set()

        await _told(answer, app(_scope(ask), receive, send))

    return call


async def _told(answer: Answer, work: Awaitable[T]) -> T | None:
    """Whatever an application raises is told to the test, but for what ends the test itself."""
    try:
        return await work
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        answer.error = error
    except BaseException as error:  # noqa: BLE001 - of pytest's, too
        answer.error = error
    return None


def wsgi(app: WsgiApp) -> Call:
    """Speaks WSGI (PEP 3333) to ``app``, in a thread."""

    def in_thread(ask: Ask, answer: Answer) -> None:
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
        except BaseException as error:  # noqa: BLE001 - as above
            answer.error = error
            if not any(written):  # the status leaves with the first piece (PEP 3333)
                answer.status, answer.headers = 500, []
        answer.body = b"".join(written)

    return lambda ask, answer: asyncio.to_thread(in_thread, ask, answer)


def function(handler: Function) -> Call:
    """Calls ``handler(body, headers)``: awaits a coroutine, and has a thread for one that is none.

    What it returns is the status; None is 200.
    """

    def in_thread(ask: Ask, answer: Answer) -> Any:
        try:
            return handler(ask.body, dict(ask.headers))
        except BaseException as error:  # noqa: BLE001 - as above; no future takes a StopIteration
            answer.error = error

    async def handled(ask: Ask, answer: Answer) -> None:
        if iscoroutinefunction(handler):
            status = await handler(ask.body, dict(ask.headers))
        else:
            returned = await asyncio.to_thread(in_thread, ask, answer)
            status = await returned if isawaitable(returned) else returned
        if answer.error is not None:
            return
        if not isinstance(status, int | None):
            raise TypeError(f"a receiver returns a status, or None for 200, and not {status!r}")
        answer.status = 200 if status is None else status

    async def call(ask: Ask, answer: Answer) -> None:
        await _told(answer, handled(ask, answer))

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

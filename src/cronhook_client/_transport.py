"""The only file that knows httpx; none of its types leaves it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from cronhook_client.errors import ConnectionFailed, TimedOut
from cronhook_client.exchange import Headers, HttpAnswer, HttpRequest

if TYPE_CHECKING:
    import httpx


class HttpxTransport:
    """A `Transport` with a pool of connections. Proxy and certificate variables of the environment are honoured."""

    def __init__(self) -> None:
        import httpx  # takes as long as the rest of the package: only who calls pays for it

        self._make = httpx.Client
        self._client = httpx.Client()
        self._of = _Process()

    def send(self, request: HttpRequest, /) -> HttpAnswer:
        deadline = time.monotonic() + request.timeout
        if self._of.was_forked(self._client):
            self._client = self._make()
        with _translated(), self._client.stream(**_arguments(request)) as response:
            return _answer(response, [piece for piece in response.iter_bytes() if _in_time(deadline, response)])

    def close(self) -> None:
        self._client.close()


class AsyncHttpxTransport:
    """An `AsyncTransport`, likewise."""

    def __init__(self) -> None:
        import httpx

        self._make = httpx.AsyncClient
        self._client = httpx.AsyncClient()
        self._of = _Process()

    async def send(self, request: HttpRequest, /) -> HttpAnswer:
        deadline = time.monotonic() + request.timeout
        if self._of.was_forked(self._client):
            self._client = self._make()
        with _translated():
            async with self._client.stream(**_arguments(request)) as response:
                pieces = [piece async for piece in response.aiter_bytes() if _in_time(deadline, response)]
                return _answer(response, pieces)

    async def close(self) -> None:
        await self._client.aclose()


class _Process:
    """The process that a pool of connections belongs to.

    A fork leaves two processes with the same connections, and each would read the other's answers. So the child makes a
    pool of its own, and keeps its parent's as it is: closing that might tell the server that the parent is done.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._id = os.getpid()
        self._inherited: list[object] = []

    def was_forked(self, client: object) -> bool:
        """True once in each process: to the first who asks."""
        if self._id == os.getpid():
            return False
        with self._lock:
            if self._id == os.getpid():
                return False
            self._inherited.append(client)
            self._id = os.getpid()
            return True


def _arguments(request: HttpRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "content": request.body,
        "timeout": request.timeout,
        "follow_redirects": False,
    }


def _answer(response: httpx.Response, pieces: Iterable[bytes]) -> HttpAnswer:
    headers = Headers(response.headers.multi_items())
    return HttpAnswer(status=response.status_code, headers=headers, body=b"".join(pieces))


def _in_time(deadline: float, response: httpx.Response) -> bool:
    """httpx bounds each wait, not their sum: an answer that drips would go on for ever."""
    import httpx

    if time.monotonic() > deadline:
        raise httpx.ReadTimeout("the answer takes too long as a whole", request=response.request)
    return True


@contextmanager
def _translated() -> Iterator[None]:
    import httpx

    never_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
    try:
        yield
    except httpx.TimeoutException as error:
        sent = not isinstance(error, never_sent)
        reason = "no answer in time" if sent else "the connection could not be made in time"
        raise TimedOut(f"{reason}: {_said(error)}", sent) from error
    except httpx.RequestError as error:
        sent = not isinstance(error, never_sent)
        reason = "the connection broke before the answer was there" if sent else "the connection could not be made"
        raise ConnectionFailed(f"{reason}: {_said(error)}", sent) from error


def _said(error: httpx.RequestError) -> str:
    return f"{str(error) or type(error).__name__} ({error.request.method} {error.request.url})"

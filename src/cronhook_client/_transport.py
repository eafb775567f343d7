"""The only file that knows httpx; none of its types leaves it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cronhook_client.errors import ConnectionFailed, TimedOut, UnexpectedAnswer
from cronhook_client.exchange import Headers, HttpAnswer, HttpRequest
from cronhook_core.errors import ConfigurationError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Semaphore

    import httpx

CONNECTIONS = 100
"""Requests of an `AsyncHttpxTransport` that are under way at once; others wait."""
KEPT = 20
"""Connections that are kept when nothing is under way, as httpx does unless it is told otherwise."""
MAX_BODY_BYTES = 128 * 1024 * 1024
"""Of an answer, unpacked; far more than any page of cronhook's has."""
GRACE = 0.1
"""Seconds by which a try as a whole outlives its parts, so that what takes too long can say which it was."""

C = TypeVar("C")


class HttpxTransport:
    """A `Transport` with a pool of connections. Proxy and certificate variables of the environment are honoured."""

    def __init__(self) -> None:
        import httpx  # takes as long as the rest of the package: only who calls pays for it

        self._clients = _PerProcess(lambda: _made(httpx.Client))

    def send(self, request: HttpRequest, /) -> HttpAnswer:
        deadline = time.monotonic() + request.timeout
        with _translated(), self._clients.mine().stream(**_arguments(request, deadline)) as response:
            body = _Body(response, deadline)
            for piece in response.iter_bytes():
                body.add(piece)
            return body.answer()

    def close(self) -> None:
        self._clients.mine().close()


class AsyncHttpxTransport:
    """An `AsyncTransport`, likewise."""

    def __init__(self) -> None:
        import asyncio

        import httpx

        # What waits for a connection waits here: the pool of httpx may lose one whose waiter is cancelled, for good.
        self._pools = _PerProcess(
            lambda: _Pool(
                make=lambda: _made(
                    httpx.AsyncClient, limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT)
                ),
                make_places=lambda: asyncio.Semaphore(CONNECTIONS),
            )
        )

    async def send(self, request: HttpRequest, /) -> HttpAnswer:
        import asyncio

        deadline = time.monotonic() + request.timeout
        pool = self._pools.mine()
        began = False
        try:
            client, places = pool.of(asyncio.get_running_loop())
            async with asyncio.timeout(request.timeout + GRACE), places:
                began = True
                with _translated():
                    async with client.stream(**_arguments(request, deadline)) as response:
                        body = _Body(response, deadline)
                        async for piece in response.aiter_bytes():
                            body.add(piece)
                        return body.answer()
        except TimeoutError as error:
            reason = "no answer in time" if began else "no connection was free in time"
            raise TimedOut(f"{reason} ({request.method} {request.url})", began) from error

    async def close(self) -> None:
        import asyncio

        client, _ = self._pools.mine().of(asyncio.get_running_loop())
        await client.aclose()


class _Pool:
    """Connections and places, for each event loop its own.

    Those of a loop that has ended, as with one `asyncio.run` after the other, can be neither used nor closed.
    """

    def __init__(self, *, make: Callable[[], httpx.AsyncClient], make_places: Callable[[], Semaphore]) -> None:
        self._make = make
        self._make_places = make_places
        self._first: httpx.AsyncClient | None = make()  # so that what is wrong with the environment is told at once
        self._by_loop: dict[AbstractEventLoop, tuple[httpx.AsyncClient, Semaphore]] = {}

    def of(self, loop: AbstractEventLoop) -> tuple[httpx.AsyncClient, Semaphore]:
        if loop not in self._by_loop:
            self._by_loop = {known: made for known, made in self._by_loop.items() if not known.is_closed()}
            client, self._first = self._first or self._make(), None
            self._by_loop[loop] = client, self._make_places()
        return self._by_loop[loop]


class _PerProcess(Generic[C]):
    """What ``make`` makes, once for each process.

    A fork leaves two processes with the same connections, and each would read the other's answers. So the child makes a
    pool of its own, whichever of its threads comes first, and keeps its parent's as it is: closing that might tell the
    server that the parent is done.
    """

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._of = {os.getpid(): make()}

    def mine(self) -> C:
        process = os.getpid()
        # No lock: a child that is forked while a thread holds one would wait for it for ever.
        return self._of[process] if process in self._of else self._of.setdefault(process, self._make())


def _made(kind: Callable[..., C], **options: Any) -> C:
    """Cookies are refused: calls with different keys share connections, and would share a proxy's session, too."""
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx

    try:
        return kind(cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])), **options)
    except (httpx.InvalidURL, ValueError, ImportError) as error:  # ImportError: of a SOCKS proxy
        raise ConfigurationError(
            "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY", f"httpx does not understand one of these variables: {error}"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            "SSL_CERT_FILE, SSL_CERT_DIR", f"the certificates that one of these variables names cannot be read: {error}"
        ) from error


def _arguments(request: HttpRequest, deadline: float) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "content": request.body,
        "timeout": max(0.001, deadline - time.monotonic()),
        "follow_redirects": False,
    }


class _Body:
    """The pieces of an answer's body as they come.

    httpx bounds each wait, not their sum: an answer that drips would go on for ever.
    """

    def __init__(self, response: httpx.Response, deadline: float) -> None:
        self._response = response
        self._deadline = deadline
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        import httpx

        self._pieces.append(piece)
        self._size += len(piece)
        if time.monotonic() > self._deadline:
            raise httpx.ReadTimeout("the answer takes too long as a whole", request=self._response.request)
        if self._size > MAX_BODY_BYTES:
            answer = HttpAnswer(status=self._response.status_code, headers=self._headers(), body=b"")
            raise UnexpectedAnswer("the answer is larger than any of cronhook's: does base_url lead to it?", answer)

    def answer(self) -> HttpAnswer:
        return HttpAnswer(status=self._response.status_code, headers=self._headers(), body=b"".join(self._pieces))

    def _headers(self) -> Headers:
        return Headers(self._response.headers.multi_items())


@contextmanager
def _translated() -> Iterator[None]:
    import httpx

    never_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
    try:
        yield
    except httpx.InvalidURL as error:
        raise ValueError(f"the URL of the call cannot be sent: {error}") from error
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

"""The in-process server for tests without coroutines."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from cronhook_client import Cronhook
from cronhook_client.exchange import AsyncTransport, HttpAnswer, HttpRequest, Transport
from cronhook_server.testing.async_server import AsyncInProcessServer
from cronhook_server.testing.calling import AsgiApp, Function, WsgiApp
from cronhook_server.testing.known import API_KEY, BASE_URL
from cronhook_server.testing.sent_webhook import SentWebhook

T = TypeVar("T")


class InProcessServer:
    """`AsyncInProcessServer` for tests without coroutines: its event loop runs in a thread, until it is closed.

    ``client`` is a `Cronhook`; plain functions and WSGI applications that are mounted may use it while they receive.
    """

    def __init__(self, *, start: datetime | None = None, raise_errors: bool = True) -> None:
        """As of `AsyncInProcessServer`."""
        self._server = AsyncInProcessServer(start=start, raise_errors=raise_errors)
        self._loop = _LoopThread()
        self.transport: Transport = _FromThreads(self._server.transport, self._loop)
        self.client = Cronhook(API_KEY, base_url=BASE_URL, transport=self.transport)

    @property
    def now(self) -> datetime:
        """The server's time. Compute a ``run_at`` from this, not from the real time."""
        return self._server.now

    @property
    def sent(self) -> Sequence[SentWebhook]:
        """Every webhook that was sent, in order."""
        return self._server.sent

    def mount(self, url: str, handler: Function) -> None:
        """Webhooks to ``url``, and below it, call ``handler(body, headers)``, which may be a coroutine function.

        It returns the status to answer, None meaning 200. A plain function runs in a thread of its own.
        """
        self._server.mount(url, handler)

    def mount_asgi(self, url: str, app: AsgiApp) -> None:
        """Webhooks to ``url``, and below it, go to an ASGI application with their full path. No lifespan is run."""
        self._server.mount_asgi(url, app)

    def mount_wsgi(self, url: str, app: WsgiApp) -> None:
        """Webhooks to ``url``, and below it, go to a WSGI application with their full path, in a thread."""
        self._server.mount_wsgi(url, app)

    def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> Sequence[SentWebhook]:
        """Let time go by, and deliver what becomes due, each at its instant; with nothing given: what is due now.

        Returns what was sent meanwhile. Raises what a receiver raised (see ``raise_errors``), and `NoReceiver` where
        nothing is mounted at a URL; time then stands at that instant.
        """
        return self._loop.run(self._server.advance(days=days, hours=hours, minutes=minutes, seconds=seconds))

    def advance_to(self, instant: datetime) -> Sequence[SentWebhook]:
        """`advance` to an instant (an aware datetime). ValueError for one that has passed."""
        return self._loop.run(self._server.advance_to(instant))

    def close(self) -> None:
        """End its thread. A repeat does nothing."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _LoopThread:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cronhook-in-process", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """RuntimeError in a coroutine of its own loop, which would wait for itself, and when it is closed."""
        reason = None
        if threading.current_thread() is self._thread:
            reason = "a coroutine that receives webhooks must not wait here: use AsyncInProcessServer and its client"
        elif self._loop.is_closed():
            reason = "the server is closed"
        if reason is not None:
            work.close()
            raise RuntimeError(reason)
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        asyncio.run_coroutine_threadsafe(_into(done, work), self._loop).result()
        return done.result()

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _into(done: concurrent.futures.Future[T], work: Coroutine[Any, Any, T]) -> None:
    """Not out of the loop: a SystemExit would end its thread, and whoever waits would wait for ever."""
    try:
        done.set_result(await work)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
        done.set_exception(error)


class _FromThreads:
    def __init__(self, transport: AsyncTransport, loop: _LoopThread) -> None:
        self._transport = transport
        self._loop = loop

    def send(self, request: HttpRequest, /) -> HttpAnswer:
        return self._loop.run(self._transport.send(request))

    def close(self) -> None:
        """There is nothing to let go."""

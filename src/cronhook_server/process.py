"""Running in a process: the HTTP server under our own signal handling, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import gc
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar, cast

import uvicorn

from cronhook_core.domain.addresses import IPNetwork
from cronhook_core.errors import ConfigurationError, CronhookError
from cronhook_server.accepting import Acceptor, CountedProtocol, counted
from cronhook_server.connections import ConnectionBounds
from cronhook_server.head_timeout import HeadTimeoutProtocol
from cronhook_server.request_scope import AsgiApp

T = TypeVar("T")

DATE_EVERY = 1.0
"""Seconds for which answers bear one date."""
_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
_MOST_OPEN_FILES = 65_536
_OTHER_OPEN_FILES = 256
"""Connections to servers, name servers' answers, files of the database, and what is opened in passing."""
_LEAST_CONNECTIONS = 64
"""Callers of the HTTP server, where no more files may be open."""
_GC_THRESHOLDS = (20_000, 20, 20)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run in an event loop of uvloop where that is installed, of asyncio otherwise."""
    try:
        from uvloop import new_event_loop
    except ModuleNotFoundError:
        with asyncio.Runner() as runner:
            return runner.run(main)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def spare_garbage_collector() -> None:
    """Leave what the process is made of out of garbage collections, and make these rarer; call it when all is loaded.

    A daemon's modules are some hundred thousand objects that live as long as it does. Looking through them again and
    again while webhooks come and go took a fifth of a worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def use_open_files() -> int:
    """Let this process open as many files as it may; how many these are.

    Each request under way is one. What a shell or systemd gives at first, 1024 in most places, is for programs that
    cannot use more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def open_files_warnings(concurrency: int) -> Iterator[str]:
    """Let this process open as many files as it may (`use_open_files`); what is wrong where that is too few.

    ``concurrency``: so many requests it makes at once, each over a connection of its own.
    """
    limit, needed = use_open_files(), concurrency + _OTHER_OPEN_FILES + _LEAST_CONNECTIONS
    if limit != resource.RLIM_INFINITY and limit < needed:
        yield (
            f"this process may open {limit} files, too few for CRONHOOK_WORKER_CONCURRENCY={concurrency}:"
            f" raise the limit (LimitNOFILE in systemd, ulimit -n in a shell) to {needed}"
        )


def connection_bounds(concurrency: int, trusted_proxies: Sequence[IPNetwork] = ()) -> ConnectionBounds:
    """How many connections an HTTP server may keep beside ``concurrency`` requests of a worker in the same process."""
    limit = use_open_files()
    open_files = _MOST_OPEN_FILES if limit == resource.RLIM_INFINITY else limit
    return ConnectionBounds(
        total=max(open_files - concurrency - _OTHER_OPEN_FILES, _LEAST_CONNECTIONS), exempt=tuple(trusted_proxies)
    )


class CannotListen(CronhookError):
    """Not now: the port is in use, or the address not there yet. The next start may find it otherwise."""

    code = "cannot_listen"


class Signals:
    """SIGINT and SIGTERM while the block is open: the first one asks to stop, the second one to stop at once."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.at_once = asyncio.Event()

    def __enter__(self) -> Signals:
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self.received)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.remove_signal_handler(number)

    def received(self) -> None:
        (self.at_once if self.stop.is_set() else self.stop).set()

    async def finish(self, ending: Awaitable[object], hurry: Callable[[], Awaitable[object]]) -> None:
        """Wait for the end of what is stopping; at the second signal, call ``hurry`` as well."""
        ended, hurrying = asyncio.ensure_future(ending), asyncio.create_task(self.at_once.wait())
        await asyncio.wait((ended, hurrying), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await hurry()
        hurrying.cancel()
        await ended


def listen(host: str, port: int, *, variable: str = "CRONHOOK_PORT") -> socket.socket:
    """A socket that listens; ``port`` 0: on any free one. ``variable`` is the setting that the port comes from.

    Raises `CannotListen` where it is not possible now, and `ConfigurationError` where it never is.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (socket.gaierror, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise CannotListen(f"CRONHOOK_HOST: the name {host!r} cannot be looked up at the moment") from None
        raise ConfigurationError("CRONHOOK_HOST", f"{host!r} is not an address of this machine") from None
    except OSError as error:
        reason = f"cannot listen on {host} port {port}: {(error.strerror or str(error)).lower()}"
        if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
            raise CannotListen(f"{variable}: {reason}") from None
        raise ConfigurationError(variable, reason) from None


def address_of(listening: socket.socket) -> str:
    """The URL under which the socket is reached from this machine, as its owner named it."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, acceptor: Acceptor) -> None:
        super().__init__(config)
        self._acceptor = acceptor
        self._asked_to_end = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, with an acceptor that has bounds."""
        await self.lifespan.startup()
        self._acceptor.start(self._make_protocol)
        self.servers = [cast("asyncio.Server", self._acceptor)]
        self.started = True

    def _make_protocol(self) -> CountedProtocol:
        made = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return cast("CountedProtocol", made)

    def end(self, *, at_once: bool) -> None:
        self.should_exit = True
        self.force_exit = self.force_exit or at_once
        self._asked_to_end.set()

    async def main_loop(self) -> None:
        """As uvicorn's, which wakes up ten times a second to see whether it shall end: most of what an API costs idle.

        Once a second, as the engine's loops do and mostly in the same moment, it says what date answers bear.
        """
        loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout_at((loop.time() // DATE_EVERY + 1) * DATE_EVERY):
                    await self._asked_to_end.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield


class HttpServer:
    """Serves an application on a listening socket, from `start` to `stop`.

    `stop` accepts nothing new and lets requests under way end within ``drain_timeout``; ``at_once`` cuts them off.
    """

    def __init__(
        self,
        app: AsgiApp,
        listening: socket.socket,
        *,
        drain_timeout: timedelta,
        bounds: ConnectionBounds | None = None,
    ) -> None:
        acceptor = Acceptor(listening, bounds or ConnectionBounds())
        config = uvicorn.Config(
            acceptor.counting(app),
            http=cast("type[asyncio.Protocol]", counted(HeadTimeoutProtocol)),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int(drain_timeout.total_seconds()),
        )
        self._server = _Uvicorn(config, acceptor)
        self._listening = listening
        self._serving: asyncio.Task[None] | None = None

    def start(self, on_end: Callable[[], None]) -> None:
        """``on_end`` is called when the server ends, also by itself; `stop` then raises what ended it."""
        self._serving = asyncio.create_task(self._server.serve([self._listening]), name="cronhook-http")
        self._serving.add_done_callback(lambda _: on_end())

    async def stop(self, *, at_once: bool = False) -> None:
        self._server.end(at_once=at_once)
        if self._serving is not None:
            await asyncio.shield(self._serving)

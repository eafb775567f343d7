"""A TCP proxy that breaks what it carries: one port for each process and each thing it depends on.

All proxies of a board live in one thread with an event loop of its own. What a test sets is in force when the call
returns.
"""

from __future__ import annotations

import asyncio
import math
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from enum import StrEnum
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import attrs

from tests.services import free_port

T = TypeVar("T")
PART = 65_536
PREPARATION = re.compile(rb"P.{4}(\w+)\0([^\0]*)\0", re.DOTALL)
"""A session of Postgres is told the text of a statement once, under a name."""
EXECUTION = re.compile(rb"B.{4}\w*\0(\w+)\0", re.DOTALL)


class Mode(StrEnum):
    """What happens to connections, and to what they carry, from now on."""

    PASS = "pass"
    REFUSE = "refuse"
    """Nobody listens; connections that are there stay. What was refused is not counted: the kernel does it."""
    BLACKHOLE = "blackhole"
    """Connections are accepted; nothing goes through until the mode changes, then what was held goes on."""
    DELAY = "delay"
    """Every part waits, in both directions."""
    THROTTLE = "throttle"
    """Answers come at so many bytes a second, those of all connections together."""
    RESET = "reset"
    """New connections, and all that carry anything, are reset."""
    DROP_ANSWERS = "drop answers"
    """Requests go on to the server; at its answer the connection is reset, and the client never learns of it."""


@attrs.define(eq=False)
class _Connection:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    loses_its_answer: bool = False
    statements: dict[bytes, bytes] = attrs.field(factory=dict)

    def executes(self, request: bytes) -> bytes:
        """The request, with the texts of the prepared statements that it executes, and not of those it prepares."""
        self.statements.update(PREPARATION.findall(request))
        executed = [self.statements.get(name, b"") for name in EXECUTION.findall(request)]
        return b"".join([PREPARATION.sub(b"", request), *executed])

    def reset(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                connection: socket.socket = writer.get_extra_info("socket")
                with suppress(OSError):  # it may be closed already
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()


class ChaosProxy:
    """Carries to `host` and `port`. `hits` counts what happened, by mode and by ``cut``, ``connected``."""

    def __init__(self, board: ChaosBoard, host: str, port: int) -> None:
        self.port = free_port()
        self._board = board
        self._upstream = host, port
        self._mode = Mode.PASS
        self._seconds = 0.0
        self._bytes_per_second = math.inf
        self._idle_from = 0.0
        self._changed = asyncio.Event()
        self._lost_answers: list[bytes] = []
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._hits: Counter[str] = Counter()
        self._counted = threading.Condition()

    def url_for(self, url: str) -> str:
        """The same URL, by way of this proxy."""
        parts = urlsplit(url)
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return parts._replace(netloc=f"{user}127.0.0.1:{self.port}").geturl()

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def hits(self) -> Counter[str]:
        with self._counted:
            return Counter(self._hits)

    def set(self, mode: Mode, *, seconds: float = 0.0, bytes_per_second: float = math.inf) -> None:
        """`seconds` are those of a delay, `bytes_per_second` those of a throttle."""
        self._board.run(self._set(mode, seconds, bytes_per_second))

    def cut(self) -> int:
        """Reset every connection there is; how many there were."""
        return self._board.run(self._cut())

    def lose_answer(self, containing: bytes = b"", times: int = 1) -> None:
        """The next requests that contain these bytes go on; at their answers the connections are reset.

        A request to Postgres contains the statements that it executes, also where they were prepared before.
        """
        self._board.run(self._lose_answer(containing, times))

    def wait_for(self, what: str, count: int = 1, timeout: float = 10.0) -> None:
        """Blocks until it was counted so often; TimeoutError after `timeout` seconds."""
        with self._counted:
            if not self._counted.wait_for(lambda: self._hits[what] >= count, timeout):
                raise TimeoutError(f"{what!r} was counted {self._hits[what]} times, not {count}, in {timeout} s")

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)

    async def close(self) -> None:
        await self._stop_listening()
        self._changed.set()
        await self._cut()

    async def _set(self, mode: Mode, seconds: float, bytes_per_second: float) -> None:
        self._mode, self._seconds, self._bytes_per_second = mode, seconds, bytes_per_second
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        await (self._stop_listening() if mode is Mode.REFUSE else self.listen())

    async def _stop_listening(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _cut(self) -> int:
        present = list(self._connections)
        for connection in present:
            connection.reset()
        self._count("cut", len(present))
        return len(present)

    async def _lose_answer(self, containing: bytes, times: int) -> None:
        self._lost_answers += [containing] * times

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(client=writer)
        self._connections.add(connection)
        self._count("connected")
        try:
            with suppress(OSError, asyncio.CancelledError):  # cancelled by the end of the board
                await self._carry_both_ways(connection, reader)
        finally:
            self._connections.discard(connection)
            for end in (connection.client, connection.server):
                if end is not None:
                    end.close()

    async def _carry_both_ways(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        if self._mode is Mode.RESET:
            self._reset(connection, Mode.RESET)
            return
        server_reader, connection.server = await asyncio.open_connection(*self._upstream)
        ways = [
            asyncio.create_task(self._carry(connection, reader, connection.server, is_answer=False)),
            asyncio.create_task(self._carry(connection, server_reader, connection.client, is_answer=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(
        self, connection: _Connection, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while part := await source.read(PART):
            if not await self._lets_through(connection, part, is_answer=is_answer):
                return
            sink.write(part)
            await sink.drain()

    async def _lets_through(self, connection: _Connection, part: bytes, *, is_answer: bool) -> bool:
        while self._mode is Mode.BLACKHOLE:
            self._count(Mode.BLACKHOLE)
            await self._changed.wait()
        if self._mode is Mode.DELAY:
            self._count(Mode.DELAY)
            await asyncio.sleep(self._seconds)
        if is_answer and self._mode is Mode.THROTTLE:
            await self._throttle(len(part))
        if self._mode is Mode.RESET:
            return self._reset(connection, Mode.RESET)
        if is_answer and (self._mode is Mode.DROP_ANSWERS or connection.loses_its_answer):
            return self._reset(connection, Mode.DROP_ANSWERS)
        if not is_answer:
            self._mark(connection, part)
        return True

    async def _throttle(self, size: int) -> None:
        """Wait until the link has carried this part, after all parts before it."""
        self._count(Mode.THROTTLE)
        now = asyncio.get_running_loop().time()
        self._idle_from = max(now, self._idle_from) + size / self._bytes_per_second
        await asyncio.sleep(self._idle_from - now)

    def _mark(self, connection: _Connection, request: bytes) -> None:
        executed = connection.executes(request)
        found = next((wanted for wanted in self._lost_answers if wanted in executed), None)
        if found is not None:
            self._lost_answers.remove(found)
            connection.loses_its_answer = True

    def _reset(self, connection: _Connection, reason: Mode) -> bool:
        self._count(reason)
        connection.reset()
        return False

    def _count(self, what: str, times: int = 1) -> None:
        with self._counted:
            self._hits[what] += times
            self._counted.notify_all()


class ChaosBoard:
    """A thread full of proxies, each found again by its name, such as ``("scheduler-1", "redis")``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos")
        self._proxies: dict[tuple[str, ...], ChaosProxy] = {}

    def proxy(self, *name: str, url: str) -> ChaosProxy:
        """The proxy of this name; at the first call it is made, in front of the server that the URL names."""
        if name not in self._proxies:
            parts = urlsplit(url)
            proxy = ChaosProxy(self, parts.hostname or "127.0.0.1", parts.port or 0)
            self.run(proxy.listen())
            self._proxies[name] = proxy
        return self._proxies[name]

    def matching(self, holds: Callable[[tuple[str, ...]], bool]) -> list[ChaosProxy]:
        """Those whose name fits: all of one process, or all to one server."""
        return [proxy for name, proxy in self._proxies.items() if holds(name)]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        for proxy in self._proxies.values():
            await proxy.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

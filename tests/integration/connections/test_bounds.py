"""The HTTP server with real connections at its bounds."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from structlog.testing import capture_logs

from cronhook_server import accepting
from cronhook_server.connections import ConnectionBounds
from cronhook_server.process import HttpServer, listen

GENEROUS = 20.0
LOOPBACK = (ip_network("127.0.0.0/8"),)
HALF = b"GET / HTTP/1.1\r\nHost: "

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class App:
    """Answers once it may; counts what it was asked."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Semaphore(0), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.release()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(app: App, bounds: ConnectionBounds) -> AsyncIterator[int]:
    with closing(listen("127.0.0.1", 0)) as listening:
        server = HttpServer(app, listening, drain_timeout=timedelta(seconds=1), bounds=bounds)
        server.start(lambda: None)
        try:
            yield listening.getsockname()[1]
        finally:
            await server.stop(at_once=True)


async def connect(port: int, written: bytes) -> Stream:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(written)
    await writer.drain()
    return reader, writer


async def ended(stream: Stream) -> bytes:
    """What came until the server closed the connection."""
    async with asyncio.timeout(GENEROUS):
        try:
            return await stream[0].read()
        except ConnectionResetError:
            return b""


async def answered(stream: Stream) -> bytes:
    async with asyncio.timeout(GENEROUS):
        return await stream[0].readuntil(b"ok")


async def test_half_open_connections_make_room_for_a_request() -> None:
    app = App()
    app.may_answer.set()
    async with serving(app, ConnectionBounds(total=8, per_client=4)) as port:
        with capture_logs() as lines:
            streams = [await connect(port, HALF) for _ in range(20)]
            for stream in streams[:16]:
                assert await ended(stream) == b""
            last = await connect(port, HALF + b"x\r\n\r\n")
            assert (await answered(last)).startswith(b"HTTP/1.1 200")
        assert [line["event"] for line in lines] == ["connections_limited"]
        for _, writer in [*streams, last]:
            writer.close()


async def test_connections_with_a_request_under_way_are_kept_and_new_ones_refused() -> None:
    app = App()
    async with serving(app, ConnectionBounds(total=3, exempt=LOOPBACK)) as port:
        busy = [await connect(port, HALF + b"x\r\n\r\n") for _ in range(3)]
        for _ in busy:
            await app.asked.acquire()
        refused = await connect(port, HALF + b"x\r\n\r\n")
        assert await ended(refused) == b""
        app.may_answer.set()
        for stream in busy:
            assert (await answered(stream)).startswith(b"HTTP/1.1 200")
        for _, writer in [*busy, refused]:
            writer.close()


async def test_what_closes_makes_room() -> None:
    app = App()
    app.may_answer.set()
    async with serving(app, ConnectionBounds(total=1)) as port:
        for _ in range(10):
            stream = await connect(port, HALF + b"x\r\nConnection: close\r\n\r\n")
            assert (await ended(stream)).endswith(b"ok")
            stream[1].close()


async def test_without_a_free_descriptor_it_waits_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "_PAUSE_WITHOUT_DESCRIPTOR_SECONDS", 0.05)
    app = App()
    app.may_answer.set()
    failing = iter(range(3))

    class Listening(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            if next(failing, None) is not None:
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    with closing(listen("127.0.0.1", 0)) as made, Listening(fileno=made.detach()) as listening:
        server = HttpServer(app, listening, drain_timeout=timedelta(seconds=1))
        server.start(lambda: None)
        with capture_logs() as lines:
            stream = await connect(listening.getsockname()[1], HALF + b"x\r\n\r\n")
            assert (await answered(stream)).startswith(b"HTTP/1.1 200")
        assert [line["bound"] for line in lines] == ["no free file descriptor"]
        stream[1].close()
        await server.stop(at_once=True)


def test_the_bounds_hold_for_any_protocol() -> None:
    class Parser(asyncio.Protocol):
        pass

    lost: list[bool] = []
    protocol = accepting.counted(Parser)()
    assert isinstance(protocol, Parser)
    protocol.on_lost = lambda: lost.append(True)
    protocol.connection_lost(None)
    assert lost == [True]

"""The HTTP server of a daemon, and connections that do not end by themselves."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from cronhook_server import process, read_timeout
from cronhook_server.process import HttpServer, listen
from cronhook_server.request_scope import AsgiApp

GENEROUS = 20.0
BUFFER = 4096
ANSWER = b"x" * 60_000
"""More than the kernel's buffers hold when they are that small, and less than makes uvicorn wait."""


class Asked:
    """An application that answers each request with `ANSWER` once it may."""

    def __init__(self, *, may_answer: bool = True) -> None:
        self.requests, self.answers, self.may_answer = asyncio.Event(), asyncio.Event(), asyncio.Event()
        if may_answer:
            self.may_answer.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests.set()
        await self.may_answer.wait()
        length = str(len(ANSWER)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": ANSWER})
        self.answers.set()


@asynccontextmanager
async def serving(app: AsgiApp, *, connection: str) -> AsyncIterator[HttpServer]:
    """With a request under way whose client does not read; both have small buffers."""
    with closing(listen("127.0.0.1", 0)) as listening, socket.socket() as client:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        client.setblocking(False)
        server = HttpServer(app, listening, drain_timeout=timedelta(seconds=2 * GENEROUS))
        server.start(lambda: None)
        try:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, listening.getsockname())
            await loop.sock_sendall(client, f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
            yield server
        finally:
            await server.stop(at_once=True)


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Whether the server has lost a connection."""
    event = asyncio.Event()

    class Watched(process.HeadTimeoutProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            event.set()

    monkeypatch.setattr(process, "HeadTimeoutProtocol", Watched)
    return event


async def test_the_head_of_a_request_is_bounded_whatever_parsers_are_installed() -> None:
    """It needs no key; uvicorn's other parser has no bound, and comes with its extra `standard`."""
    assert issubclass(process.HeadTimeoutProtocol, H11Protocol)
    with closing(listen("127.0.0.1", 0)) as listening:
        server = HttpServer(Asked(), listening, drain_timeout=timedelta(seconds=1))
        server.start(lambda: None)
        try:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + 100_000 * b"x")
            async with asyncio.timeout(GENEROUS):
                assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
            writer.close()
        finally:
            await server.stop(at_once=True)


@pytest.mark.parametrize(
    "folded",
    [
        b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        b"x-name: a\r\n\tb\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n0\r\nx-trailer: a\r\n b\r\n\r\n",
    ],
)
async def test_folded_header_lines_are_refused(folded: bytes) -> None:
    with closing(listen("127.0.0.1", 0)) as listening:
        server = HttpServer(Asked(), listening, drain_timeout=timedelta(seconds=1))
        server.start(lambda: None)
        try:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\n" + folded)
            async with asyncio.timeout(GENEROUS):
                assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
            writer.close()
        finally:
            await server.stop(at_once=True)


class TestTheRestOfAnAnswerThatIsNotRead:
    @pytest.fixture(autouse=True)
    def short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(read_timeout, "READ_WITHIN_SECONDS", 0.2)

    @pytest.mark.parametrize(("connection", "keep_alive"), [("close", 2 * GENEROUS), ("keep-alive", 0)])
    async def test_is_dropped_some_time_after_its_connection_was_closed(
        self, monkeypatch: pytest.MonkeyPatch, lost: asyncio.Event, connection: str, keep_alive: float
    ) -> None:
        monkeypatch.setattr(process, "_KEEP_ALIVE_SECONDS", keep_alive)
        async with serving(Asked(), connection=connection), asyncio.timeout(GENEROUS):
            await lost.wait()

    async def test_does_not_hold_up_the_end(self) -> None:
        app = Asked()
        async with serving(app, connection="keep-alive") as server, asyncio.timeout(GENEROUS):
            await app.answers.wait()
            await server.stop()


async def test_what_is_to_stop_at_once_does_so_also_where_it_is_asked_to_stop_again() -> None:
    app = Asked(may_answer=False)
    async with serving(app, connection="keep-alive") as server, asyncio.timeout(GENEROUS):
        await app.requests.wait()
        await asyncio.gather(server.stop(at_once=True), server.stop())


async def test_an_end_waits_for_no_change_of_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "DATE_EVERY", 1e9)
    with closing(listen("127.0.0.1", 0)) as listening:
        server = HttpServer(Asked(), listening, drain_timeout=timedelta(seconds=1))
        server.start(lambda: None)
        async with asyncio.timeout(GENEROUS):
            await date_of_an_answer(listening)
            await server.stop()


async def test_answers_bear_the_date_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "DATE_EVERY", 0.01)
    monkeypatch.setattr("uvicorn.server.formatdate", lambda *_, **__: f"{next(numbers)}")
    numbers = count()
    app = Asked()
    with closing(listen("127.0.0.1", 0)) as listening:
        server = HttpServer(app, listening, drain_timeout=timedelta(seconds=1))
        server.start(lambda: None)
        async with asyncio.timeout(GENEROUS):
            while int(await date_of_an_answer(listening)) < 5:
                await asyncio.sleep(0)
            await server.stop(at_once=True)


async def date_of_an_answer(listening: socket.socket) -> str:
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    [date] = re.findall(rb"date: (.*)\r", answer)
    return date.decode()

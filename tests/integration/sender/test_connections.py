"""Connections: kept for a moment, never trusted twice with one request, and gone when a call is cancelled."""

import asyncio
import errno
import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest

from cronhook_core.backends.http import guard
from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.webhook import Outcome
from tests.integration.sender.certificates import Authority
from tests.integration.sender.connections import Address, Connects
from tests.integration.sender.hostile import OK, read_request
from tests.integration.sender.requests import post, timed
from tests.integration.sender.stub_resolver import StubResolver
from tests.receiver import Receiver

Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Line:
    """A server in the test's own loop, to see each connection's beginning and end."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self.opened = 0
        self.ended = asyncio.Semaphore(0)
        self.requests: list[bytes] = []
        self.has_request = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.opened += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._act(reader, writer)
        writer.close()
        self.ended.release()
        self._tasks.discard(task)

    async def take(self, reader: asyncio.StreamReader) -> None:
        self.requests.append(await read_request(reader))
        self.has_request.set()


ActOnLine = Callable[[Line, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def line(act: ActOnLine) -> AsyncIterator[tuple[Line, str]]:
    opened = Line(lambda reader, writer: act(opened, reader, writer))
    server = await asyncio.start_server(opened.serve, "127.0.0.1", 0)
    yield opened, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    server.close()


async def answer_all(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await line.take(reader)
        writer.write(OK)
        await writer.drain()


async def answer_first_only(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await line.take(reader)
    writer.write(OK)
    await line.take(reader)


async def wait_for_the_end(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await line.take(reader)
    await reader.read()


async def stall_within_the_body(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await line.take(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
    await reader.read()


async def test_a_connection_serves_one_request_after_the_other(sender: AiohttpSender) -> None:
    async with line(answer_all) as (server, url):
        for _ in range(5):
            assert (await sender(post(url))).outcome is Outcome.SUCCEEDED
        assert (server.opened, len(server.requests)) == (1, 5)


async def test_an_idle_connection_is_not_used_again(names: StubResolver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert guard.KEEP_ALIVE_SECONDS <= 3
    monkeypatch.setattr(guard, "KEEP_ALIVE_SECONDS", 0.05)
    entered = AiohttpSender(AllowedTargets.parse("127.0.0.1"), resolver=names)
    async with entered as sender, line(answer_all) as (server, url):
        await sender(post(url))
        async with asyncio.timeout(2):
            await server.ended.acquire()
        await sender(post(url))
        assert server.opened == 2


async def test_a_busy_connection_is_replaced_after_its_time(
    sender: AiohttpSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "MAX_CONNECTION_AGE_SECONDS", -1.0)
    async with line(answer_all) as (server, url):
        for _ in range(3):
            assert (await sender(post(url))).outcome is Outcome.SUCCEEDED
        assert server.opened == 3


async def test_a_request_on_a_stale_connection_is_never_sent_twice(sender: AiohttpSender) -> None:
    """The second request meets a connection that ends instead of answering; it may have been processed."""
    async with line(answer_first_only) as (server, url):
        assert (await sender(post(url))).outcome is Outcome.SUCCEEDED
        assert (await sender(post(url, body=b"second"))).outcome is Outcome.CONNECT_ERROR
        assert server.opened == 1
        assert [request.endswith(b"second") for request in server.requests] == [False, True]


async def test_a_receiver_that_floods_an_idle_connection_loses_it(sender: AiohttpSender) -> None:
    flooding = asyncio.Event()

    async def flood(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await line.take(reader)
        writer.write(OK)
        if line.opened == 1:
            await flooding.wait()
            writer.write(OK * 1000)
        await reader.read()

    async with line(flood) as (server, url):
        assert (await sender(post(url))).outcome is Outcome.SUCCEEDED
        flooding.set()
        async with asyncio.timeout(2):
            await server.ended.acquire()
        assert (await sender(post(url))).outcome is Outcome.SUCCEEDED
        assert server.opened == 2


async def test_no_answer_is_taken_for_that_of_the_next_request(sender: AiohttpSender) -> None:
    async def answer_twice(line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await line.take(reader)
        writer.write(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake")
        await reader.read()

    async with line(answer_twice) as (server, url):
        assert [(await sender(post(url))).response_body for _ in range(3)] == ["ok"] * 3
        assert server.opened == 3


@pytest.mark.parametrize("act", [wait_for_the_end, stall_within_the_body])
async def test_a_cancelled_call_closes_its_connection(sender: AiohttpSender, act: ActOnLine) -> None:
    async with line(act) as (server, url):
        call = asyncio.ensure_future(sender(post(url, seconds=60)))
        await server.has_request.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(2):
            await server.ended.acquire()


async def test_a_call_is_cancelled_while_a_name_is_looked_up(sender: AiohttpSender, names: StubResolver) -> None:
    names.answer("tarpit.test", None)
    call = asyncio.ensure_future(sender(post("http://tarpit.test/", seconds=60)))
    while not names.lookups:
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_connection_that_never_stands_ends_at_the_deadline(
    sender: AiohttpSender, connects: Connects, names: StubResolver
) -> None:
    reached = asyncio.Event()

    async def never(*_: object) -> None:
        reached.set()
        await asyncio.sleep(3600)

    asyncio.get_running_loop().sock_connect = never  # type: ignore[assignment, method-assign]
    names.answer("good.test", ["127.0.0.1", "::1"])
    result, took = await timed(sender, post("http://good.test/", seconds=0.4))
    assert (result.outcome, result.error) == (Outcome.TIMEOUT, "no connection to the receiver within 0.4 s")
    assert took.between(0.39, 0.65)

    reached.clear()
    call = asyncio.ensure_future(sender(post("http://good.test/", seconds=60)))
    await reached.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (111, "no connection to the receiver: connection refused"),
        (113, "no connection to the receiver: no route to host"),
        (101, "no connection to the receiver: network is unreachable"),
        (110, "no connection to the receiver: connection timed out"),
    ],
)
async def test_errors_of_connecting_have_words_and_no_address(
    sender: AiohttpSender, connects: Connects, number: int, error: str
) -> None:
    def fail(address: Address) -> Address:
        raise OSError(number, f"connect to {address} failed")

    connects.route = fail
    result = await sender(post("http://127.0.0.1:8080/"))
    assert (result.outcome, result.error) == (Outcome.CONNECT_ERROR, error)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "https://good.test/"])
async def test_that_no_file_can_be_opened_is_not_the_receivers_fault(
    sender: AiohttpSender, names: StubResolver, monkeypatch: pytest.MonkeyPatch, number: int, url: str
) -> None:
    def fail(*_: int) -> NoReturn:
        raise OSError(number, "too many open files")

    names.answer("good.test", ["127.0.0.1", "::1"])
    monkeypatch.setattr(guard, "OwnedSocket", fail)
    result = await sender(post(url))
    assert (result.outcome, result.permanent) == (Outcome.INTERNAL_ERROR, False)
    assert result.error == "this worker has no free file descriptor"


async def test_a_mistake_of_ours_is_a_result_and_a_log_line_without_its_text(
    names: StubResolver, connects: Connects, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "a secret " + "value"

    def fail(_: Address) -> Address:
        raise LookupError(secret)

    connects.route = fail
    async with AiohttpSender(AllowedTargets.parse("127.0.0.1"), resolver=names) as sender:
        result = await sender(post("http://127.0.0.1:8080/"))
    assert (result.outcome, result.permanent) == (Outcome.INTERNAL_ERROR, False)
    assert result.error == "sending failed unexpectedly (LookupError)"
    assert "LookupError" in caplog.text
    assert secret not in caplog.text


async def test_leaving_the_sender_drops_what_is_under_way(
    names: StubResolver, receiver: Receiver, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    names.answer("good.test", ["127.0.0.1"])
    with Receiver(tls=authority.server_context("good.test")) as secure:
        sender = AiohttpSender(AllowedTargets.parse("127.0.0.1"), resolver=names, tls=authority.client_context())
        async with asyncio.timeout(2), sender:
            await sender(post(f"https://good.test:{secure.port}/"))
            urls = [receiver.url("/silent"), f"https://good.test:{secure.port}/silent"]
            calls = [asyncio.ensure_future(sender(post(url, seconds=60))) for url in urls]
            await receiver.arrived(1)
            await secure.arrived(2)
        results = await asyncio.gather(*calls)
    assert {result.outcome for result in results} == {Outcome.CONNECT_ERROR}
    gc.collect()


@pytest.mark.parametrize("module", ["aiohttp", "aiodns"])
def test_a_missing_library_names_the_extra(module: str) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from cronhook_core.errors import MissingDependency\n"
        "try:\n    import cronhook_core.backends.http.sender\n"
        "except MissingDependency as missing:\n    print(missing)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == f"{module} is not installed: pip install 'cronhook[webhooks]'\n"

"""The transports over real connections."""

import asyncio
import gzip
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from cronhook_client import AsyncCronhook, ConnectionFailed, Cronhook, ServerError, TimedOut, UnexpectedAnswer
from cronhook_client._transport import CONNECTIONS, AsyncHttpxTransport, HttpxTransport
from cronhook_client.exchange import HttpAnswer, HttpRequest
from cronhook_core.errors import ConfigurationError
from tests.integration.sender.certificates import Authority
from tests.receiver import Receiver
from tests.replies import Reply
from tests.services import free_port
from tests.unit.client.bodies import HEALTH, JOB

JSON = {"content-type": "application/json"}


def request_for(url: str, **changes: Any) -> HttpRequest:
    return attrs.evolve(
        HttpRequest(method="POST", url=url, headers={"x-api-key": "k"}, body=b"{}", timeout=5), **changes
    )


class Both:
    """Sends over both transports, which must agree."""

    async def send(self, request: HttpRequest) -> HttpAnswer:
        sync, async_ = HttpxTransport(), AsyncHttpxTransport()
        try:
            answers = sync.send(request), await async_.send(request)
        finally:
            sync.close()
            await async_.close()
        assert answers[0] == answers[1]
        return answers[0]

    async def fail(self, request: HttpRequest, kind: type[ConnectionFailed], *, sent: bool) -> ConnectionFailed:
        sync, async_ = HttpxTransport(), AsyncHttpxTransport()
        with pytest.raises(ConnectionFailed) as failed:
            sync.send(request)
        with pytest.raises(ConnectionFailed) as async_failed:
            await async_.send(request)
        sync.close()
        await async_.close()
        for failure in (failed.value, async_failed.value):
            assert (type(failure), failure.sent) == (kind, sent)
            assert request.url in str(failure)
        return failed.value


BOTH = Both()

AFTER_A_FORK = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from cronhook_client._transport import HttpxTransport
from cronhook_client.exchange import HttpRequest

class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())
    def log_message(self, *_): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
Thread(target=server.serve_forever, daemon=True).start()
transport = HttpxTransport()

def echoed(path):
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return transport.send(HttpRequest(method="GET", url=url, headers={}, timeout=10)).body.decode()

assert echoed("/parent") == "/parent"
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        paths = [[f"/{child}/{thread}/{call}" for call in range(30)] for thread in range(4)]
        with ThreadPoolExecutor(4) as threads:  # they begin while the child has no connections of its own
            right = list(threads.map(lambda mine: [echoed(path) for path in mine] == mine, paths))
        os._exit(0 if all(right) else 1)
    children.append(pid)
ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert echoed("/parent") == "/parent"
sys.exit(max(ended))
"""


def test_a_fork_does_not_share_connections() -> None:
    """As servers fork that load an application first: each process would read the others' answers."""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", AFTER_A_FORK], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")


async def test_what_is_sent_and_answered(receiver: Receiver) -> None:
    receiver.script("/v1/jobs?q=1", Reply(status=201, headers={"X-One": "1"}, body=b"made"))
    answer = await BOTH.send(request_for(receiver.url("/v1/jobs?q=1")))
    assert (answer.status, answer.headers["x-one"], answer.body) == (201, "1", b"made")
    for arrival in receiver.arrivals:
        assert (arrival.method, arrival.path, arrival.body) == ("POST", "/v1/jobs?q=1", b"{}")
        assert arrival.headers["x-api-key"] == "k"


async def test_a_server_that_is_not_there() -> None:
    await BOTH.fail(request_for(f"http://127.0.0.1:{free_port()}/"), ConnectionFailed, sent=False)


async def test_a_name_that_does_not_exist() -> None:
    await BOTH.fail(request_for("http://no-such-host.invalid/"), ConnectionFailed, sent=False)


async def test_a_connection_that_breaks(receiver: Receiver) -> None:
    await BOTH.fail(request_for(receiver.url("/reset")), ConnectionFailed, sent=True)


@pytest.mark.parametrize("path", ["/silent", "/stall"])
async def test_an_answer_that_does_not_come(receiver: Receiver, path: str) -> None:
    await BOTH.fail(request_for(receiver.url(path), timeout=1), TimedOut, sent=True)


async def test_an_answer_that_drips_is_given_up_in_time(receiver: Receiver) -> None:
    """Each of its bytes comes soon; all of them would take five minutes."""
    began = time.monotonic()
    await BOTH.fail(request_for(receiver.url("/drip/0.3"), timeout=1), TimedOut, sent=True)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("drips", ["head", "informational answers"])
async def test_a_head_that_drips_is_given_up_in_time(drips: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" if drips == "head" else b"")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x: y\r\n" if drips == "head" else b"HTTP/1.1 102 Processing\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/jobs"
        transport = AsyncHttpxTransport()
        began = time.monotonic()
        with pytest.raises(TimedOut, match="no answer in time"):
            await transport.send(request_for(url, timeout=0.5))
        assert time.monotonic() - began < 10
        await transport.close()
        await asyncio.sleep(0.1)  # the receiver notices


async def test_calls_that_are_cancelled_in_a_burst_use_up_no_connections() -> None:
    gate = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            await gate.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=500)
    async with server:
        request = request_for(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/jobs", timeout=30)
        transport = AsyncHttpxTransport()
        for _ in range(2):
            burst = [asyncio.wait_for(transport.send(request), 0.5) for _ in range(250)]
            outcomes = await asyncio.gather(*burst, return_exceptions=True)
            assert all(isinstance(outcome, TimeoutError) for outcome in outcomes)
        gate.set()
        await asyncio.sleep(0.1)  # the receiver ends what was cancelled
        answers = await asyncio.gather(*(transport.send(request) for _ in range(250)))
        assert [answer.status for answer in answers] == [200] * 250
        await transport.close()


async def test_waiting_for_a_connection_takes_the_timeout_at_most() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=500)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/jobs"
        transport = AsyncHttpxTransport()
        holding = [asyncio.ensure_future(transport.send(request_for(url, timeout=30))) for _ in range(CONNECTIONS)]
        await asyncio.sleep(0.1)
        with pytest.raises(TimedOut, match="no connection was free in time") as failed:
            await transport.send(request_for(url, timeout=0.3))
        assert not failed.value.sent
        for one in holding:
            one.cancel()
        await asyncio.gather(*holding, return_exceptions=True)
        await transport.close()


async def test_cookies_of_one_call_are_not_sent_with_another(receiver: Receiver) -> None:
    receiver.script("/v1/jobs", Reply(headers={"set-cookie": "session=of-k; Path=/"}))
    sync, async_ = HttpxTransport(), AsyncHttpxTransport()
    for _ in range(2):
        sync.send(request_for(receiver.url("/v1/jobs")))
        await async_.send(request_for(receiver.url("/v1/jobs")))
    sync.close()
    await async_.close()
    assert all("cookie" not in arrival.headers for arrival in receiver.arrivals)


async def test_a_body_without_end_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cronhook_client._transport.MAX_BODY_BYTES", 1_000_000)
    bomb = gzip.compress(bytes(30_000_000))
    receiver.script("/v1/jobs/job_1", Reply(headers=JSON | {"content-encoding": "gzip"}, body=bomb))
    with Cronhook("k", base_url=receiver.url("")) as client, pytest.raises(UnexpectedAnswer, match="larger than any"):
        client.jobs.get("job_1")
    async with AsyncCronhook("k", base_url=receiver.url("")) as client_:
        with pytest.raises(UnexpectedAnswer, match="larger than any"):
            await client_.jobs.get("job_1")


async def test_a_url_that_cannot_be_sent(receiver: Receiver) -> None:
    for url in ("http://256.1.1.1/v1/jobs", receiver.url("/v1/jobs?q=" + "x" * 70_000)):
        sync, async_ = HttpxTransport(), AsyncHttpxTransport()
        with pytest.raises(ValueError, match="the URL of the call cannot be sent"):
            sync.send(request_for(url))
        with pytest.raises(ValueError, match="the URL of the call cannot be sent"):
            await async_.send(request_for(url))
        sync.close()
        await async_.close()


@pytest.mark.parametrize("kind", [Cronhook, AsyncCronhook])
def test_a_variable_that_the_transport_does_not_understand(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,fd00::/8")
    with pytest.raises(ConfigurationError, match="NO_PROXY: httpx does not understand one of these variables"):
        kind("k")


@pytest.mark.parametrize("kind", [Cronhook, AsyncCronhook])
def test_certificates_that_are_not_there(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/certificates.pem")
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE, SSL_CERT_DIR: the certificates"):
        kind("k")


ONE_LOOP_AFTER_THE_OTHER = """
import asyncio, sys
from cronhook_client._transport import AsyncHttpxTransport
from cronhook_client.exchange import HttpRequest

transport = AsyncHttpxTransport()
request = HttpRequest(method="GET", url=sys.argv[1], headers={}, body=None, timeout=10.0)
assert [asyncio.run(transport.send(request)).status for _ in range(3)] == [200, 200, 200]
assert len(transport._pools.mine()._by_loop) == 1, "those of loops that have ended are dropped"
asyncio.run(transport.close())
"""


def test_an_async_transport_is_used_in_one_loop_after_the_other(receiver: Receiver) -> None:
    """As with one `asyncio.run` for each task of a worker; connections of a loop that has ended are left behind."""
    command = [sys.executable, "-W", "ignore", "-c", ONE_LOOP_AFTER_THE_OTHER, receiver.url("/v1/jobs")]
    ended = subprocess.run(command, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    with Receiver(tls=Authority(tmp_path).server_context("127.0.0.1")) as receiver:
        failure = await BOTH.fail(request_for(receiver.url("/")), ConnectionFailed, sent=False)
        assert "certificate" in str(failure)
        assert receiver.arrivals == []


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    assert (await BOTH.send(request_for(receiver.url("/redirect/307")))).status == 307
    assert len(receiver.arrivals) == 2
    receiver.script("/v1/jobs/job_1", Reply(status=301, headers={"location": "https://elsewhere/v1/jobs/job_1"}))
    with Cronhook("k", base_url=receiver.url("")) as client, pytest.raises(UnexpectedAnswer, match="https://elsewhere"):
        client.jobs.get("job_1")


async def test_compressed_answers_are_read(receiver: Receiver) -> None:
    body = gzip.compress(json.dumps(JOB).encode())
    receiver.script("/v1/jobs/job_1", Reply(headers=JSON | {"content-encoding": "gzip"}, body=body))
    with Cronhook("k", base_url=receiver.url("")) as client:
        assert client.jobs.get("job_1").name == JOB["name"]


async def test_a_server_that_comes_back(receiver: Receiver) -> None:
    """Connection reset, then a bad gateway, then the answer: three tries of one request."""
    replies = Reply(resets=True), Reply(status=502), Reply(headers=JSON, body=json.dumps(JOB).encode())
    for path in ("/v1/jobs/sync/pause", "/v1/jobs/async/pause"):
        receiver.script(path, *replies)

    async def no_pause(_: float) -> None: ...

    with Cronhook("k", base_url=receiver.url("")) as client:
        client._use(attrs.evolve(client._sender, sleep=lambda _: None), owns_transport=True)
        assert client.raw(client.jobs.pause, "sync").retries == 2
    async with AsyncCronhook("k", base_url=receiver.url("")) as async_client:
        async_client._use(attrs.evolve(async_client._sender, sleep=no_pause), owns_transport=True)
        assert (await async_client.raw(async_client.jobs.pause, "async")).retries == 2
    keys = [(arrival.path, arrival.headers["idempotency-key"]) for arrival in receiver.arrivals]
    assert len(keys) == 6
    assert len(set(keys)) == 2


async def test_a_server_that_does_not(receiver: Receiver) -> None:
    receiver.script("/v1/jobs/job_1", Reply(status=500, body=b"<html>"))
    with Cronhook("k", base_url=receiver.url(""), max_retries=1) as client, pytest.raises(ServerError, match="html"):
        client.jobs.get("job_1")
    assert len(receiver.arrivals) == 2


async def test_health_that_fails_is_not_asked_again(receiver: Receiver) -> None:
    receiver.script(
        "/health", Reply(status=500, headers=JSON, body=json.dumps(HEALTH | {"status": "failing"}).encode())
    )
    with Cronhook("k", base_url=receiver.url("")) as client:
        assert client.health.check().status == "failing"
    assert len(receiver.arrivals) == 1

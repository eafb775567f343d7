"""The transports over real connections."""

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import pytest

from cronhook_client import AsyncCronhook, ConnectionFailed, Cronhook, ServerError, TimedOut, UnexpectedAnswer
from cronhook_client._transport import AsyncHttpxTransport, HttpxTransport
from cronhook_client.exchange import HttpAnswer, HttpRequest
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
        paths = [f"/{child}/{call}" for call in range(30)]
        os._exit(0 if [echoed(path) for path in paths] == paths else 1)
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

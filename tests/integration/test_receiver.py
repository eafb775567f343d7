"""The receiver that other tests believe must itself be right."""

import json
import socket
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected
from pathlib import Path

import pytest

from tests.receiver import Receiver
from tests.replies import Reply


def post(receiver: Receiver, path: str, body: bytes = b"{}", webhook_id: str = "a") -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", receiver.port, timeout=5)) as connection:
        response = _send(connection, path, body, webhook_id)
        return response.status, response.read()


def _send(connection: HTTPConnection, path: str, body: bytes = b"{}", webhook_id: str = "a") -> HTTPResponse:
    connection.request("POST", path, body, {"Webhook-Id": webhook_id})
    return connection.getresponse()


def test_keeps_what_arrived(receiver: Receiver) -> None:
    before = time.monotonic()
    post(receiver, "/hook?x=1", b'{"n": 1}', "exec-1")
    (arrival,) = receiver.arrivals
    assert (arrival.method, arrival.path, arrival.body) == ("POST", "/hook?x=1", b'{"n": 1}')
    assert arrival.webhook_id == "exec-1"
    assert before <= arrival.monotonic <= time.monotonic()
    assert arrival.at.tzinfo is not None
    assert receiver.answers == {0: 200}


def test_answers_by_path(receiver: Receiver) -> None:
    assert post(receiver, "/status/404") == (404, b"ok")
    assert post(receiver, "/echo", b"hello") == (200, b"hello")
    assert post(receiver, "/big/70000") == (200, b"." * 70_000)
    assert post(receiver, "/redirect/302")[0] == 302


def test_counts_failures_for_each_webhook_id(receiver: Receiver) -> None:
    statuses = [post(receiver, "/fail-twice", webhook_id=name)[0] for name in ("a", "a", "b", "a")]
    assert statuses == [500, 500, 500, 200]


def test_a_script_goes_before_the_path(receiver: Receiver) -> None:
    receiver.script("/status/404", Reply(status=503, headers={"retry-after": "7"}), Reply(status=204, body=b""))
    assert [post(receiver, "/status/404")[0] for _ in range(3)] == [503, 204, 204]


def test_serves_many_requests_on_one_connection(receiver: Receiver) -> None:
    with closing(HTTPConnection("127.0.0.1", receiver.port, timeout=5)) as connection:
        assert [_send(connection, "/echo", b"%d" % n).read() for n in range(3)] == [b"0", b"1", b"2"]


def test_slow_answers_are_written_down_at_once(receiver: Receiver) -> None:
    with closing(HTTPConnection("127.0.0.1", receiver.port, timeout=5)) as connection:
        connection.request("POST", "/silent", b"{}")
        assert len(receiver.wait_for(1)) == 1
        assert receiver.answers == {}


def test_a_reset_is_no_answer(receiver: Receiver) -> None:
    with pytest.raises((ConnectionResetError, RemoteDisconnected)):
        post(receiver, "/reset")


def test_a_stalled_body_comes_after_its_headers(receiver: Receiver) -> None:
    with closing(HTTPConnection("127.0.0.1", receiver.port, timeout=0.2)) as connection:
        response = _send(connection, "/stall")
        assert response.status == 200
        with pytest.raises((TimeoutError, HTTPException)):
            response.read()


def test_waiting_ends_with_what_is_missing(receiver: Receiver) -> None:
    with pytest.raises(TimeoutError, match="0 of 1"):
        receiver.wait_for(1, timeout=0.01)


async def test_coroutines_wait_too(receiver: Receiver) -> None:
    post(receiver, "/")
    assert len(await receiver.arrived(1)) == 1


def test_refuses_while_stopped_and_comes_back_on_its_port(receiver: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port)) as idle:
        post(receiver, "/")
        receiver.stop()
        assert idle.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        post(receiver, "/")
    receiver.start()
    post(receiver, "/")
    assert [arrival.number for arrival in receiver.arrivals] == [0, 1]


def test_the_log_has_arrivals_before_answers(tmp_path: Path) -> None:
    log = tmp_path / "receiver.jsonl"
    with Receiver(log=log) as receiver:
        post(receiver, "/status/500", b'{"n": 1}', "exec-1")
    arrival, answer = (json.loads(line) for line in log.read_text().splitlines())
    assert (arrival["arrival"], arrival["path"], arrival["body"]) == (0, "/status/500", '{"n": 1}')
    assert (answer["answer"], answer["status"]) == (0, 500)

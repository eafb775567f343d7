"""Requests that are not what they should be on the wire.

Their end is told in two ways: what comes behind such a one is not taken for another request. Or they are no HTTP.
"""

import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.integration.client.running_server import RunningServer

BEHIND = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def answers(server: RunningServer, request: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


def request(*headers: str, body: bytes = b"") -> bytes:
    lines = "".join(f"{header}\r\n" for header in ("POST /v1/jobs HTTP/1.1", "Host: x", *headers))
    return f"{lines}\r\n".encode() + body


def test_requests_with_two_lengths_are_the_last_of_their_connection(server: RunningServer, key: str) -> None:
    headers = (f"x-api-key: {key}", "content-type: application/json", "transfer-encoding: chunked")
    received = answers(server, request(*headers, "content-length: 4", body=b"0\r\n\r\n" + BEHIND))
    assert received.count(b"HTTP/1.1 ") == 1
    assert received.startswith(b"HTTP/1.1 400 ")


def test_others_may_be_followed_by_another(server: RunningServer, key: str) -> None:
    headers = (f"x-api-key: {key}", "content-type: application/json")
    for framing, body in (("transfer-encoding: chunked", b"0\r\n\r\n"), ("content-length: 0", b"")):
        received = answers(server, request(*headers, framing, body=body + BEHIND))
        assert received.count(b"HTTP/1.1 ") == 2, "else the test above tests nothing"


@pytest.mark.parametrize(
    "sent",
    [
        b"no request at all\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /v1/jobs/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\na name: x\r\n\r\n",
        request("content-length: 1", "content-length: 2", body=b"ab"),
        request("content-length: -1"),
    ],
)
def test_what_is_no_http_is_told_so_under_an_id(server: RunningServer, sent: bytes) -> None:
    received = answers(server, sent)
    assert received.count(b"HTTP/1.1 ") == 1
    check_refusal(received)


def test_a_body_that_breaks_off_in_the_middle_of_a_chunk_gets_one_answer(server: RunningServer, key: str) -> None:
    headers = (f"x-api-key: {key}", "content-type: application/json", "transfer-encoding: chunked")
    received = answers(server, request(*headers, body=b"zz\r\nno length of a chunk"))
    assert received.count(b"HTTP/1.1 ") == 1
    check_refusal(received)


def test_what_follows_a_request_and_is_none_has_an_answer_of_its_own(server: RunningServer) -> None:
    received = answers(server, BEHIND + b"garbage\r\n\r\n")
    first, _, second = received[1:].partition(b"HTTP/1.1 ")
    assert first.startswith(b"TTP/1.1 200 ")
    check_refusal(b"HTTP/1.1 " + second)


def check_refusal(received: bytes) -> None:
    head, _, body = received.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    told = json.loads(body)
    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert (told["code"], told["request_id"]) == ("invalid_request", headers["x-request-id"])
    assert headers["content-type"] == "application/problem+json"
    assert (int(headers["content-length"]), headers["connection"]) == (len(body), "close")

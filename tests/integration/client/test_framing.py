"""Requests whose end is told in two ways: what comes behind one is not taken for another request."""

import socket
from urllib.parse import urlsplit

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

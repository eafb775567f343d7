"""Who opens a connection and says nothing, or next to nothing, loses it."""

import socket
import time
from urllib.parse import urlsplit

import pytest

from cronhook_server import head_timeout
from tests.integration.client.running_server import RunningServer

WITHIN = 1.5
GENEROUS = 20.0
REQUEST = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_timeout, "HEAD_WITHIN_SECONDS", WITHIN)


def connect(server: RunningServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=GENEROUS)


def is_dropped(connection: socket.socket) -> bool:
    """Whether the server ends the connection without a word."""
    try:
        return connection.recv(1000) == b""
    except ConnectionResetError:
        return True


def answer(connection: socket.socket) -> bytes:
    """The whole of it: its body is a JSON object."""
    connection.sendall(REQUEST)
    received = b""
    while not received.endswith(b"}"):
        received += (piece := connection.recv(65536))
        assert piece
    return received


def test_a_silent_connection_is_dropped(server: RunningServer) -> None:
    with connect(server) as connection:
        began = time.monotonic()
        assert is_dropped(connection)
        assert time.monotonic() - began > WITHIN * 0.8


def test_a_request_that_drips_is_dropped(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(REQUEST[:10])
        connection.settimeout(0.05)
        deadline = time.monotonic() + GENEROUS
        while time.monotonic() < deadline:
            try:
                connection.sendall(b"x")
                assert connection.recv(1000) == b""
                return
            except TimeoutError:
                continue
            except ConnectionError:
                return
    raise AssertionError("the connection was kept")


def test_the_second_request_of_a_connection_must_not_drip_either(server: RunningServer) -> None:
    with connect(server) as connection:
        assert answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(REQUEST[:10])
        assert is_dropped(connection)


def test_an_idle_connection_is_kept_between_requests(server: RunningServer) -> None:
    """Longer than a head may take: uvicorn's own limit for idle connections is more than a minute."""
    with connect(server) as idle, connect(server) as silent:
        assert answer(idle).startswith(b"HTTP/1.1 200")
        assert is_dropped(silent), "so the time is over for the other one, too"
        assert answer(idle).startswith(b"HTTP/1.1 200")

"""Who does not read the answers to its requests loses the connection; who reads slowly gets them whole."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cronhook_client import Cronhook
from cronhook_server import read_timeout
from cronhook_server.routes import jobs
from tests.integration.client.running_server import RunningServer

pytestmark = pytest.mark.suite("integration")

WITHIN = 1.5
GENEROUS = 20.0
REQUEST = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
LAST_REQUEST = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ANSWERS = 60
"""More bytes than the kernel's buffers hold."""
PIECE = 64 * 1024
JOBS, LARGE = 45, "x" * 250_000


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_timeout, "READ_WITHIN_SECONDS", WITHIN)


@contextmanager
def connect(server: RunningServer) -> Iterator[socket.socket]:
    """With a small buffer for what is received."""
    parts = urlsplit(server.url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        connection.settimeout(GENEROUS)
        connection.connect((parts.hostname or "", parts.port or 0))
        yield connection


def test_who_asks_and_does_not_read_is_dropped(server: RunningServer) -> None:
    """Its requests fill every buffer, too: what it sends waits until the connection is gone."""
    with connect(server) as connection, pytest.raises(ConnectionError):
        connection.sendall(REQUEST * 500_000)


def read_all(connection: socket.socket, *, pause: float = 0) -> bytes:
    received = bytearray()
    while piece := connection.recv(PIECE):
        received += piece
        time.sleep(pause)
    return bytes(received)


def test_who_goes_on_reading_gets_a_large_answer_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than nothing may be read, and more than the kernel's buffers."""
    monkeypatch.setattr(jobs, "MAX_PAGE_BYTES", JOBS * (len(LARGE) + 1000))
    with RunningServer(tmp_path, max_jobs=JOBS) as server:
        key = server.new_key("default")
        with Cronhook(key, base_url=server.url) as client:
            for _ in range(JOBS):
                client.jobs.create(name="large", cron="@yearly", callback_url="http://127.0.0.1:9/", payload=LARGE)
        with connect(server) as connection:
            connection.sendall(f"GET /v1/jobs?include=payload HTTP/1.0\r\nHost: x\r\nx-api-key: {key}\r\n\r\n".encode())
            began = time.monotonic()
            received = read_all(connection, pause=0.02)
    assert time.monotonic() - began > 2 * WITHIN
    assert received.count(LARGE.encode()) == JOBS


def test_who_reads_slowly_gets_every_answer_whole(server: RunningServer) -> None:
    with connect(server) as connection:
        connection.sendall(LAST_REQUEST)
        _, _, document = read_all(connection).partition(b"\r\n\r\n")
    with connect(server) as connection:
        connection.sendall(REQUEST * (ANSWERS - 1) + LAST_REQUEST)
        began = time.monotonic()
        received = read_all(connection, pause=0.01)
    assert time.monotonic() - began > WITHIN
    assert received.count(document) == ANSWERS

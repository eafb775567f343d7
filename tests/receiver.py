"""A real HTTP receiver for the tests. It writes down what arrives before it answers.

It runs in a thread and an event loop of its own, so that a busy loop under test makes no arrival look late.
"""

import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from http.client import responses
from pathlib import Path
from typing import Self

import attrs

from tests.replies import Reply, reply_by_path
from tests.services import free_port


@attrs.frozen(kw_only=True)
class Arrival:
    """One request. Its times are those of its last header; `monotonic` compares over all processes here."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    monotonic: float
    at: datetime

    @property
    def webhook_id(self) -> str:
        """Empty where the request has none."""
        return self.headers.get("webhook-id", "")


class Receiver:
    """Listens on a free loopback port: the same one after `stop` and `start`.

    A path is answered by its `script`, otherwise as `reply_by_path` reads it. `log` is a file that gets a line of
    JSON for every arrival before its answer begins, and one for the answer.
    """

    def __init__(self, *, log: Path | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self._log = log
        self._tls = tls
        self._arrivals: list[Arrival] = []
        self._answers: dict[int, int] = {}
        self._scripts: dict[str, list[Reply]] = {}
        self._earlier: Counter[tuple[str, str]] = Counter()
        self._changed = threading.Condition()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Event, threading.Thread] | None = None
        self._serving: set[asyncio.Task[None] | None] = set()  # nobody else holds one that stalls when its caller left

    def url(self, path: str = "/") -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{path}"

    def script(self, path: str, *replies: Reply) -> None:
        """Answers `path` with these, one after the other; the last one stays."""
        with self._changed:
            self._scripts[path] = list(replies)

    @property
    def arrivals(self) -> list[Arrival]:
        with self._changed:
            return list(self._arrivals)

    @property
    def answers(self) -> dict[int, int]:
        """The status of each answer begun, by the number of its arrival."""
        with self._changed:
            return dict(self._answers)

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Arrival]:
        """Blocks until so many requests have arrived in all; TimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._arrivals) >= count, timeout):
                raise TimeoutError(f"{len(self._arrivals)} of {count} requests arrived within {timeout} s")
            return list(self._arrivals)

    async def arrived(self, count: int, timeout: float = 10.0) -> list[Arrival]:
        """`wait_for`, for coroutines."""
        return await asyncio.to_thread(self.wait_for, count, timeout)

    def start(self) -> None:
        """Returns when the port accepts connections."""
        listening = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        loop, stopping = asyncio.new_event_loop(), asyncio.Event()
        thread = threading.Thread(target=self._run, args=(loop, stopping, listening), name="receiver")
        self._running = loop, stopping, thread
        thread.start()

    def stop(self) -> None:
        """Closes the port and every connection; what was written down stays. A repeat does nothing."""
        if self._running is not None:
            loop, stopping, thread = self._running
            loop.call_soon_threadsafe(stopping.set)
            thread.join()
            self._running = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, loop: asyncio.AbstractEventLoop, stopping: asyncio.Event, listening: socket.socket) -> None:
        async def serve() -> None:
            server = await asyncio.start_server(self._serve_connection, sock=listening, ssl=self._tls)
            await stopping.wait()
            loop.remove_reader(listening)
            for _ in range(5):  # what was accepted just now gets its handler, which closes it
                await asyncio.sleep(0)
            server.close()

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while not writer.is_closing():
                arrival, reply = self._write_down(await _read(reader))
                await self._answer(writer, arrival, reply)
        self._serving.discard(task)
        if self._tls is not None:
            writer.transport.abort()  # the farewell of TLS may take longer than the loop has to live

    def _write_down(self, arrival: Arrival) -> tuple[Arrival, Reply]:
        with self._changed:
            arrival = attrs.evolve(arrival, number=len(self._arrivals))
            self._append(_line_of(arrival))
            self._arrivals.append(arrival)
            reply = self._reply_to(arrival)
            self._changed.notify_all()
        return arrival, reply

    def _reply_to(self, arrival: Arrival) -> Reply:
        if script := self._scripts.get(arrival.path):
            return script.pop(0) if len(script) > 1 else script[0]
        key = arrival.path, arrival.webhook_id
        self._earlier[key] += 1
        return reply_by_path(arrival.path, arrival.body, self._earlier[key] - 1)

    async def _answer(self, writer: asyncio.StreamWriter, arrival: Arrival, reply: Reply) -> None:
        await asyncio.sleep(reply.delay)
        if reply.resets:
            _reset(writer)
            return
        with self._changed:
            self._answers[arrival.number] = reply.status
            self._append({"answer": arrival.number, "status": reply.status, "monotonic": time.monotonic()})
        writer.write(_head_of(reply))
        await writer.drain()
        if reply.stalls:
            await asyncio.Event().wait()
        await _write_body(writer, reply)

    def _append(self, line: dict[str, object]) -> None:
        if self._log is not None:
            with self._log.open("a") as log:
                log.write(json.dumps(line) + "\n")


async def _read(reader: asyncio.StreamReader) -> Arrival:
    head = await reader.readuntil(b"\r\n\r\n")
    monotonic, at = time.monotonic(), datetime.now(UTC)
    request, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, path, _ = request.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert "transfer-encoding" not in headers, "the receiver reads bodies by their content-length"
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Arrival(number=0, method=method, path=path, headers=headers, body=body, monotonic=monotonic, at=at)


def _line_of(arrival: Arrival) -> dict[str, object]:
    line = attrs.asdict(arrival) | {"at": arrival.at.isoformat(), "body": arrival.body.decode("latin-1")}
    return {"arrival": line.pop("number"), **line}


def _head_of(reply: Reply) -> bytes:
    headers = {"content-type": "text/plain", "content-length": str(len(reply.body)), **reply.headers}
    lines = [
        f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _write_body(writer: asyncio.StreamWriter, reply: Reply) -> None:
    if not reply.seconds_per_byte:
        writer.write(reply.body)
    else:
        for byte in reply.body:
            writer.write(bytes([byte]))
            await asyncio.sleep(reply.seconds_per_byte)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """A lingering time of zero makes the kernel send RST instead of FIN."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

"""The process of the scripted receiver: it answers as the path says, and writes down everything before it does.

Its log has a line of JSON for each arrival of a webhook, one for the beginning of its answer, and one for its end; each
is written to the file at once, so that a kill of this process loses none. It imports little, to be there soon.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from http.client import responses

import attrs

from tests.replies import Reply, reply_by_path


@attrs.frozen(kw_only=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes
    received_at: datetime


def reply_to(request: Request, earlier: int) -> Reply:
    """``/between/LOW/HIGH/…`` answers as the rest of the path says, after so many seconds.

    The delay depends on the execution and its attempt alone, so that a run can be repeated.
    """
    match request.path.strip("/").split("/"):
        case ["between", low, high, *rest]:
            seed = f"{request.headers.get('webhook-id')}|{request.headers.get('cronhook-attempt')}"
            delay = random.Random(seed).uniform(float(low), float(high))
            return attrs.evolve(reply_by_path("/" + "/".join(rest), request.body, earlier), delay=delay)
    return reply_by_path(request.path, request.body, earlier)


class ReceiverProcess:
    def __init__(self, log: str) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._arrivals = 0
        self._earlier: Counter[tuple[str, str]] = Counter()

    async def serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                await self._serve(await _read(reader), reader, writer)
        writer.close()

    async def _serve(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        webhook_id = request.headers.get("webhook-id", "")
        earlier = self._earlier[request.path, webhook_id]
        self._earlier[request.path, webhook_id] += 1
        reply = reply_to(request, earlier)
        if not webhook_id:
            await _answer(reply, writer)
            return
        number = self._write_arrival(request, webhook_id)
        fate = "closed"
        try:
            fate = await self._reply(number, reply, reader, writer)
        finally:
            self._write({"end": number, "fate": fate})

    async def _reply(
        self, number: str, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> str:
        if await _client_left(reader, reply.delay):
            writer.close()
            return "closed"
        if reply.resets:
            _reset(writer)
            return "reset"
        self._write({"answer": number, "status": reply.status, "answered_at": datetime.now(UTC).isoformat()})
        await _answer(reply, writer)
        return "answered"

    def _write_arrival(self, request: Request, webhook_id: str) -> str:
        """The name of the arrival, unique over all lives of the receiver."""
        self._arrivals += 1
        number = f"{os.getpid()}-{self._arrivals}"
        headers = request.headers
        self._write(
            {
                "arrival": number,
                "webhook_id": webhook_id,
                "attempt": int(headers.get("cronhook-attempt", "0")),
                "job_id": headers.get("cronhook-job-id", ""),
                "scheduled_for": headers.get("cronhook-scheduled-for", ""),
                "path": request.path,
                "timestamp": int(headers.get("webhook-timestamp", "0")),
                "received_at": request.received_at.isoformat(),
            }
        )
        return number

    def _write(self, line: dict[str, object]) -> None:
        os.write(self._log, json.dumps(line).encode() + b"\n")


async def _read(reader: asyncio.StreamReader) -> Request:
    first = await reader.readexactly(1)
    received_at = datetime.now(UTC)
    head = first + await reader.readuntil(b"\r\n\r\n")
    request, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(path=request.split(" ")[1], headers=headers, body=body, received_at=received_at)


async def _client_left(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether the client closed the connection within so many seconds; an infinite wait ends no other way."""
    more = asyncio.ensure_future(reader.read(1))
    await asyncio.wait({more}, timeout=None if seconds == float("inf") else seconds)
    if more.done():
        return True  # nobody sends a second request before the first answer
    more.cancel()
    await asyncio.gather(more, return_exceptions=True)
    return False


async def _answer(reply: Reply, writer: asyncio.StreamWriter) -> None:
    headers = {"content-type": "text/plain", "content-length": str(len(reply.body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    await writer.drain()
    if reply.stalls:
        await asyncio.Event().wait()
    for part in [reply.body] if not reply.seconds_per_byte else [bytes([byte]) for byte in reply.body]:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(reply.seconds_per_byte)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def serve(port: int, log: str, hosts: list[str]) -> None:
    process = ReceiverProcess(log)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, stopped.set)
    await asyncio.start_server(process.serve_connection, hosts, port, backlog=1024)
    await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))

"""Callers of an HTTP server that cost little: a raw protocol that writes prepared bytes and reads little of an answer.

A client that takes as long for a request as the server does would be half of what is measured.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.receiver import field

HOST = "127.0.0.1"
HEADERS = b"user-agent: benchmark\r\naccept: */*\r\naccept-encoding: gzip, deflate\r\n"
"""What an ordinary client sends of itself."""


def request_of(method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    lines = {"host": HOST, **headers}
    if body is not None:
        lines |= {"content-type": "application/json", "content-length": str(len(body))}
    own = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{own}".encode() + HEADERS + b"\r\n" + (body or b"")


class Caller(asyncio.Protocol):
    """One connection: sends the next of the requests as soon as the last one is answered, until there is none left."""

    def __init__(self, requests: Iterator[bytes], answers: list[bytes]) -> None:
        self._requests = requests
        self._answers = answers
        self._buffer = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._call()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        if not head.startswith(b"HTTP/1.1 2"):
            self._end(AssertionError(f"not what was asked for: {self._buffer!r}"))
        elif len(body) == int(field(head.lower() + b"\r\n", b"content-length")):
            self._answers.append(body)
            self._buffer = b""
            self._call()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionResetError("the server closed the connection"))

    def _call(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._end(None)
        else:
            self._transport.write(request)

    def _end(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None) if error is None else self.ended.set_exception(error)
            self._transport.close()


async def call(port: int, requests: Iterator[bytes], *, at_once: int) -> Sequence[bytes]:
    """The bodies of all answers; raises for a status that is no 2xx."""
    loop = asyncio.get_running_loop()
    answers: list[bytes] = []
    connecting = (loop.create_connection(lambda: Caller(requests, answers), HOST, port) for _ in range(at_once))
    connected = await asyncio.gather(*connecting)
    await asyncio.gather(*(caller.ended for _, caller in connected))
    return answers

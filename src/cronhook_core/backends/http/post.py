"""One POST over a connection of aiohttp's pool.

aiohttp's session prepares requests of every kind: cookies, redirects, bodies of any type, a task that writes each. A
webhook needs none of it, and it cost more than writing and parsing did. What remains aiohttp's are the pool, TLS, and
the parser of answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import cached_property

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from attrs import frozen
from yarl import URL

READ_BUFFER_BYTES = 16 * 1024
MAX_FIELD_BYTES = 16 * 1024
"""Of one header of an answer: cookies and policies can be long. There may be 128 of them, which is aiohttp's limit."""
SWITCHING_PROTOCOLS = 101


class _Wanted(aiohttp.ClientRequest):
    """What the pool is asked with; never sent. The pool's key is worked out once, not for every request."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key


@frozen
class Destination:
    """Where requests go. ``head`` begins each of them: the request line and the host."""

    scheme: str
    head: str
    wanted: aiohttp.ClientRequest

    @classmethod
    def of(cls, url: URL) -> Destination:
        """Called within the loop that sends."""
        return cls(
            url.scheme,
            f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n",
            _Wanted("POST", url, loop=asyncio.get_running_loop()),
        )


def request_bytes(destination: Destination, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """The whole request. ``headers`` are known to be sendable: ASCII, and without line ends."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return f"{destination.head}{lines}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body


async def post(connection: Connection, request: bytes) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """Write the request and read the head of its answer; the body is read from what comes with it."""
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection is closed")
    protocol.set_response_params(
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=MAX_FIELD_BYTES,
        max_field_size=MAX_FIELD_BYTES,
    )
    transport.write(request)
    while True:
        message, content = await protocol.read()
        if not 100 <= message.code <= 199 or message.code == SWITCHING_PROTOCOLS:
            return message, content

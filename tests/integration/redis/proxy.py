"""A proxy in front of a test server: it can swallow what it carries, change servers, and speak TLS to its clients."""

import asyncio
import ssl
from contextlib import suppress
from typing import Self


class Proxy:
    """`swallows_answers`: requests go on to the server, its answers nowhere. `accepts_only`: nothing goes anywhere.

    `target_port` is where new connections lead.
    """

    def __init__(self, target_port: int, tls: ssl.SSLContext | None = None) -> None:
        self.swallows_answers = False
        self.accepts_only = False
        self.target_port = target_port
        self._tls = tls
        self._connections: set[asyncio.Task[None]] = set()
        self._dead: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def forget_connections(self) -> None:
        """Nothing is carried on the connections of now any more, as by a firewall that has lost them."""
        self._dead |= self._connections

    async def cut_forgotten_connections(self) -> None:
        """Those who are at their ends learn of it now."""
        for connection in self._dead:
            connection.cancel()
        await asyncio.gather(*self._dead, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        with suppress(OSError, asyncio.CancelledError):
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            try:
                await self._carry_both_ways(task, reader, writer, server_reader, server_writer)
            finally:
                writer.close()
                server_writer.close()

    async def _carry_both_ways(
        self,
        connection: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.create_task(self._carry(connection, reader, server_writer, answers=False)),
            asyncio.create_task(self._carry(connection, server_reader, writer, answers=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(
        self,
        connection: asyncio.Task[None],
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        answers: bool,
    ) -> None:
        while part := await source.read(65536):
            swallowed = self.accepts_only or connection in self._dead or (answers and self.swallows_answers)
            if not swallowed:
                sink.write(part)
                await sink.drain()

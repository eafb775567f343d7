"""Accepting connections within bounds.

``create_server`` of an event loop accepts all that wait, up to its backlog, before anything of ours runs: a burst takes
every file descriptor. Here each connection is judged when it is accepted, a few in each turn of the loop.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

from cronhook_server.connections import Connection, ConnectionBounds, Connections
from cronhook_server.request_scope import AsgiApp

_ACCEPTED_PER_TURN = 4
_PAUSE_AT_BOUND_SECONDS = 0.02
"""Whoever opens anew what is closed takes no more of the loop than 200 connections a second cost."""
_PAUSE_WITHOUT_DESCRIPTOR_SECONDS = 1.0
"""The loop would be told of the same connection again and again."""
_NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Peer = tuple[str, int]


class CountedProtocol(asyncio.Protocol):
    """Put before the class of a protocol, which may parse in any way; says when its connection is lost."""

    on_lost: Callable[[], None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self.on_lost is not None:
            self.on_lost()
        super().connection_lost(exc)


def counted(protocol: type[asyncio.Protocol]) -> type[CountedProtocol]:
    return type(protocol.__name__, (CountedProtocol, protocol), {})


class Acceptor:
    """Accepts on a listening socket, from `start` to `close`; it stands for an ``asyncio.Server``.

    The server has to call its application through `counting`, which notes where a request is under way.
    """

    def __init__(self, listening: socket.socket, bounds: ConnectionBounds) -> None:
        self._listening = listening
        self._connections = Connections(bounds)
        self._of_peer: dict[Peer, Connection] = {}
        self._setting_up: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        self._resuming: asyncio.TimerHandle | None = None
        self._is_closed = False

    def start(self, make_protocol: Callable[[], CountedProtocol]) -> None:
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._listening.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Accept no more. Connections that are set up are the server's to end."""
        self._is_closed = True
        if self._resuming is not None:
            self._resuming.cancel()
        self._loop.remove_reader(self._listening)

    async def wait_closed(self) -> None:
        if self._setting_up:
            await asyncio.wait(self._setting_up)

    def counting(self, app: AsgiApp) -> AsgiApp:
        """The application, which is called once for each request."""

        async def counted_app(scope: Any, receive: Any, send: Any) -> None:
            connection = self._of_peer.get(scope.get("client"))
            if connection is None:
                return await app(scope, receive, send)
            self._connections.request_began(connection)
            try:
                await app(scope, receive, send)
            finally:
                self._connections.request_ended(connection)

        return counted_app

    def _listen(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        times_limited = self._connections.times_limited
        for _ in range(_ACCEPTED_PER_TURN):
            try:
                accepted, peer = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError as error:
                if error.errno not in _NO_RESOURCES:
                    raise
                self._connections.tell(self._loop.time(), "no free file descriptor")
                self._pause(_PAUSE_WITHOUT_DESCRIPTOR_SECONDS)
                return
            connection = self._connections.admit(peer[0], self._loop.time())
            if connection is None:
                accepted.close()
            else:
                self._set_up(connection, accepted, peer[:2])
        if self._connections.times_limited > times_limited:
            self._pause(_PAUSE_AT_BOUND_SECONDS)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._resuming = self._loop.call_later(seconds, self._listen)

    def _set_up(self, connection: Connection, accepted: socket.socket, peer: Peer) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._of_peer[peer] = connection
        task = self._loop.create_task(self._connect(connection, accepted, peer))
        self._setting_up.add(task)
        task.add_done_callback(self._setting_up.discard)

    async def _connect(self, connection: Connection, accepted: socket.socket, peer: Peer) -> None:
        def lost() -> None:
            self._connections.remove(connection)
            if self._of_peer.get(peer) is connection:
                del self._of_peer[peer]

        def make_protocol() -> CountedProtocol:
            protocol = self._make_protocol()
            protocol.on_lost = lost
            return protocol

        transport, _ = await self._loop.connect_accepted_socket(make_protocol, accepted)
        connection.transport = transport
        if self._is_closed:
            transport.abort()

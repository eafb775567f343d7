"""Watching, and bending, what a loop connects to: the last point before the network."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

Address = tuple[Any, ...]


def refuse_beyond_the_loopback(address: Address) -> Address:
    if not ip_address(address[0]).is_loopback:
        raise ConnectionRefusedError(111, "refused")
    return address


class Connects:
    """Stands in for the loop's ``sock_connect``. ``targets`` are all (host, port) that were to be connected to.

    ``route`` gives the address that is really connected to, or raises what the connection ends in; nothing beyond the
    loopback is reached unless it says so.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.targets: list[tuple[str, int]] = []
        self.route: Callable[[Address], Address] = refuse_beyond_the_loopback
        self._connect = loop.sock_connect
        loop.sock_connect = self._record  # type: ignore[method-assign, assignment]

    async def _record(self, sock: socket.socket, address: Address) -> None:
        self.targets.append((address[0], address[1]))
        await self._connect(sock, self.route(address))

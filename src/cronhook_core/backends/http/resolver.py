"""Looking names up without a thread per name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Protocol

import aiodns
from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, ARES_ETIMEOUT, DNSError

from cronhook_core.domain.addresses import IPAddress

MAX_ADDRESSES = 16
"""Addresses of one name that are looked at; what a name server sends beyond is not used."""

# c-ares would order the answers by opening a socket to each of them.
_ARES_AI_NOSORT = 1 << 7

_REASONS = {
    ARES_ENOTFOUND: "the name of the receiver does not exist",
    ARES_ETIMEOUT: "the name server of the receiver did not answer",
}


class NameNotResolved(Exception):
    """A name has no answer; the text is one sentence for people, without addresses."""


class NameResolver(Protocol):
    """Turns names into addresses.

    Contract: ``addresses`` gives at most `MAX_ADDRESSES`, none when the name exists without an address, or raises
    NameNotResolved. It does not block the loop, may be cancelled, and any number of calls may be under way at once.
    """

    async def addresses(self, host: str, /) -> Sequence[IPAddress]: ...

    async def close(self) -> None: ...


class AiodnsResolver:
    """c-ares, configured as the system is (resolv.conf, hosts file). Made inside a running loop.

    ``nameservers`` (``host:port``) replace the system's.
    """

    def __init__(self, nameservers: Sequence[str] = (), *, seconds_per_try: float = 2.0, tries: int = 2) -> None:
        self._resolver = aiodns.DNSResolver(
            nameservers, loop=asyncio.get_running_loop(), timeout=seconds_per_try, tries=tries
        )

    async def addresses(self, host: str, /) -> Sequence[IPAddress]:
        try:
            answer = await self._resolver.getaddrinfo(
                host, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM, flags=_ARES_AI_NOSORT
            )
        except DNSError as error:
            if error.args[0] == ARES_ENODATA:
                return ()
            reason = _REASONS.get(error.args[0], "the name server of the receiver failed")
            raise NameNotResolved(reason) from None
        # IPv4 first: a machine without a route for IPv6 then loses no time.
        nodes = sorted(answer.nodes, key=lambda node: node.family)[:MAX_ADDRESSES]
        return [ip_address(node.addr[0].decode("ascii")) for node in nodes]

    async def close(self) -> None:
        await self._resolver.close()

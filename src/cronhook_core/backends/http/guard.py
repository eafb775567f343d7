"""The address guard: every address is judged when its name is resolved, when its socket is made, and once more when the
connection stands. Literal addresses never reach the resolver, hence the socket; the last look trusts nobody."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from cronhook_core.backends.http.exchange import Exchange, Stage, current_exchange
from cronhook_core.backends.http.own_addresses import is_own
from cronhook_core.backends.http.owned_socket import OwnedSocket
from cronhook_core.backends.http.resolver import MAX_ADDRESSES, NameNotResolved, NameResolver
from cronhook_core.backends.http.response_meter import ResponseMeter
from cronhook_core.domain.addresses import IPAddress, unmapped
from cronhook_core.domain.target_policy import TargetPolicy

RESOLVE_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 1.5
"""Idle connections are kept this long: less than servers commonly do, so that a POST seldom meets a closing one."""
MAX_CONNECTION_AGE_SECONDS = 60.0
"""A busy connection is replaced after this time, so that its name is looked up again."""
RECEIVE_BUFFER_BYTES = 16 * 1024
"""The kernel's buffer of one connection: what a receiver can hand over at one moment."""

_DENIED = "the receiver's address is denied by the operator (CRONHOOK_DENIED_TARGETS)"
_NOT_PUBLIC = "the receiver's address is not public"
_OWN = "the receiver's address is this machine's own; the operator has to open it (CRONHOOK_ALLOWED_TARGETS)"
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


def refusal(policy: TargetPolicy, address: IPAddress, port: int) -> str | None:
    """Why the address may not be connected to, in one sentence; None: it may."""
    if policy.denied.includes(address, port):
        return _DENIED
    if not policy.permits(address, port):
        return _NOT_PUBLIC
    if not policy.allowed.includes(address, port) and is_own(address):
        return _OWN
    return None


class GuardedResolver(AbstractResolver):
    """Resolves a name once, within its own time limit, and lets it pass when every address passes.

    Calls for the same name at the same moment share one look-up. Addresses are judged for each call, also those that
    the resolver has cached. ``localhost`` is not looked up: it stands for those loopback addresses that the operator
    opened (RFC 6761, section 6.3).
    """

    def __init__(self, names: NameResolver, policy: TargetPolicy) -> None:
        self._names = names
        self._policy = policy
        self._lookups: dict[str, asyncio.Task[Sequence[IPAddress]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        exchange = current_exchange.get()
        if host == "localhost" or host.endswith(".localhost"):
            addresses: Sequence[IPAddress] = [one for one in _LOOPBACK if self._policy.permits(one, port)]
        else:
            exchange.stage = Stage.RESOLVING
            addresses = (await self._look_up(host))[:MAX_ADDRESSES]
            exchange.stage = Stage.CONNECTING
        if not addresses:
            raise exchange.block("the receiver's name has no address that may be called")
        for address in addresses:
            if (reason := refusal(self._policy, address, port)) is not None:
                raise exchange.block(reason)
        return [_resolved(host, port, address) for address in addresses]

    async def _look_up(self, host: str) -> Sequence[IPAddress]:
        task = self._lookups.get(host)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._look_up_once(host))
            self._lookups[host] = task
            task.add_done_callback(lambda done: self._forget(host, done))
        return await asyncio.shield(task)

    async def _look_up_once(self, host: str) -> Sequence[IPAddress]:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                return await self._names.addresses(host)
        except TimeoutError:
            raise NameNotResolved(f"the receiver's name was not resolved within {RESOLVE_SECONDS:g} s") from None

    def _forget(self, host: str, task: asyncio.Task[Sequence[IPAddress]]) -> None:
        del self._lookups[host]
        if not task.cancelled():
            task.exception()  # its callers may all have been cancelled

    async def close(self) -> None:
        lookups = tuple(self._lookups.values())
        for task in lookups:
            task.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)
        await self._names.close()


def _resolved(host: str, port: int, address: IPAddress) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=str(address),
        port=port,
        family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


class GuardedConnector(aiohttp.TCPConnector):
    """A pool without limits of its own, whose connections all lead to addresses that passed, and are metered."""

    def __init__(self, resolver: GuardedResolver, policy: TargetPolicy, ssl_context: Any) -> None:
        super().__init__(
            resolver=resolver,
            use_dns_cache=False,
            ssl=ssl_context,
            limit=0,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            socket_factory=self._open_socket,
        )
        self._policy = policy
        self._meters: WeakSet[ResponseMeter] = WeakSet()

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Drop every connection at once: one that waits for its receiver to read would never end by being closed."""
        for meter in tuple(self._meters):
            meter.abort()
        await super().close(abort_ssl=abort_ssl)

    def _open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, (host, port, *_) = info
        address = ip_address(host)
        exchange = current_exchange.get()
        if (reason := refusal(self._policy, address, int(port))) is not None:
            raise exchange.block(reason)
        exchange.checked.append(unmapped(address))
        opened = OwnedSocket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        return opened

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        exchange = current_exchange.get()
        while True:
            connection = await super().connect(req, traces, timeout)
            meter = self._meter_of(connection, exchange)
            if meter.is_quiet:
                break
            meter.abort()
            connection.close()
        meter.expect_answer()
        exchange.meter, exchange.stage = meter, Stage.ANSWERING
        return connection

    def _meter_of(self, connection: aiohttp.connector.Connection, exchange: Exchange) -> ResponseMeter:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            cause = None if protocol is None else protocol.exception()
            raise aiohttp.ClientConnectionError("the connection is closed") from cause
        now = self._loop.time()
        meter = transport.get_protocol()
        if not isinstance(meter, ResponseMeter):
            if problem := _problem_of_new(transport, protocol.should_close, exchange):
                transport.abort()
                connection.close()
                raise problem from protocol.exception()
            meter = ResponseMeter(protocol, transport, now + MAX_CONNECTION_AGE_SECONDS)
            transport.set_protocol(meter)
            self._meters.add(meter)
        if now > meter.retires_at:
            protocol.force_close()
        return meter


def _problem_of_new(transport: asyncio.Transport, has_spoken: bool, exchange: Exchange) -> Exception | None:
    peer = transport.get_extra_info("peername")
    if not peer:
        return aiohttp.ClientConnectionError("the connection is closed")
    if unmapped(ip_address(peer[0])) not in exchange.checked:
        return exchange.block("the connection led to another address than the one that was checked")
    if has_spoken:
        exchange.spoke_first = True
        return aiohttp.ClientConnectionError("the receiver spoke first")
    return None

"""Looking names up without a thread per name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Protocol

import aiodns
from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, ARES_ETIMEOUT, DNSError
from attrs import define
from pycares import AddrInfoResult

from cronhook_core.domain.addresses import IPAddress

MAX_ADDRESSES = 16
"""Addresses of one name that are looked at; what a name server sends beyond is not used."""

# c-ares would order the answers by opening a socket to each of them.
_ARES_AI_NOSORT = 1 << 7

_SECONDS_PER_TRY = 2.0
_TRIES = 4
_UNTAUGHT_CHANNEL_SECONDS = 1.0
"""How long an untaught channel takes new questions."""
_IPV6_GRACE_SECONDS = 0.3
"""How long IPv6 addresses are waited for once the IPv4 ones are known, which are tried first anyway."""

_REASONS = {
    ARES_ENOTFOUND: "the name of the receiver does not exist",
    ARES_ETIMEOUT: "the name server of the receiver did not answer",
}
_FAILED = "the name server of the receiver failed"

Addresses = Sequence[IPAddress]


class NameNotResolved(Exception):
    """A name has no answer; the text is one sentence for people, without addresses."""


class NameResolver(Protocol):
    """Turns names into addresses.

    Contract: ``addresses`` gives at most `MAX_ADDRESSES`, and none only when the name server said that the name exists
    and has neither IPv4 nor IPv6 addresses. It raises NameNotResolved where a question stayed without an answer, and
    OSError where this process could not ask (it has no free file descriptor). It does not block the loop, may be
    cancelled, and any number of calls may be under way at once.
    """

    async def addresses(self, host: str, /) -> Addresses: ...

    async def close(self) -> None: ...


class AiodnsResolver:
    """c-ares, configured as the system is (resolv.conf, hosts file). Made inside a running loop.

    ``nameservers`` (``host:port``) replace the system's. A look-up ends within ``ask_again_after`` plus ``patience``
    seconds.

    c-ares learns how fast a name server is and then waits for as little as 250 ms per try, and it drops an answer that
    comes after its try has ended. A name that takes longer once, which is common where a recursive name server has to
    ask others, would never be resolved. Therefore a question without an answer after ``ask_again_after`` seconds is
    asked once more over a channel that has learned nothing yet and waits for ``patience`` seconds.

    c-ares caches answers for their time to live, for one hour at most.
    """

    def __init__(self, nameservers: Sequence[str] = (), *, ask_again_after: float = 0.5, patience: float = 4.0) -> None:
        self._ask_again_after = ask_again_after
        self._channel = _channel(nameservers, seconds_per_try=_SECONDS_PER_TRY, tries=_TRIES)
        self._untaught = _UntaughtChannels(lambda: _channel(nameservers, seconds_per_try=patience, tries=1))

    async def addresses(self, host: str, /) -> Addresses:
        # IPv4 and IPv6 are asked for apart: asked together, a question that timed out beside an empty answer is
        # reported as a name without addresses.
        ipv4 = asyncio.ensure_future(self._answer(host, socket.AF_INET))
        ipv6 = asyncio.ensure_future(self._answer(host, socket.AF_INET6))
        try:
            answers = [await ipv4]
            await asyncio.wait((ipv6,), timeout=_IPV6_GRACE_SECONDS if _has_addresses(answers[0]) else None)
            if ipv6.done():
                answers.append(ipv6.result())
        finally:
            ipv4.cancel()
            ipv6.cancel()
        return _combined(answers)

    async def close(self) -> None:
        await self._channel.close()
        await self._untaught.close()

    async def _answer(self, host: str, family: socket.AddressFamily) -> Addresses | DNSError:
        try:
            return await self._ask(host, family)
        except DNSError as error:
            return () if error.args[0] == ARES_ENODATA else error

    async def _ask(self, host: str, family: socket.AddressFamily) -> Addresses:
        first = _question(self._channel, host, family)
        try:
            await asyncio.wait((first,), timeout=self._ask_again_after)
            return _addresses(await (first if _is_answered(first) else self._ask_again(host, family, first)))
        finally:
            first.cancel()

    async def _ask_again(
        self, host: str, family: socket.AddressFamily, first: asyncio.Future[AddrInfoResult]
    ) -> AddrInfoResult:
        async with self._untaught.channel() as channel:
            second = _question(channel, host, family)
            try:
                await asyncio.wait((first, second), return_when=asyncio.FIRST_COMPLETED)
                return await (first if _is_answered(first) else second)
            finally:
                second.cancel()


@define(eq=False)
class _Lent:
    channel: aiodns.DNSResolver
    made_at: float
    borrowers: int = 0


class _UntaughtChannels:
    """Channels that have not learned how fast a name server is.

    Questions of one moment share a channel, so that a name server that is away does not take a thread and some file
    descriptors per name. A channel is closed once its last borrower has returned it.
    """

    def __init__(self, make: Callable[[], aiodns.DNSResolver]) -> None:
        self._make = make
        self._newest: _Lent | None = None
        self._lent: set[_Lent] = set()

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[aiodns.DNSResolver]:
        lent = self._borrow()
        try:
            yield lent.channel
        finally:
            lent.borrowers -= 1
            if lent.borrowers == 0:
                self._lent.discard(lent)
                await lent.channel.close()

    async def close(self) -> None:
        for lent in tuple(self._lent):
            await lent.channel.close()

    def _borrow(self) -> _Lent:
        now = asyncio.get_running_loop().time()
        lent = self._newest
        if lent is None or lent not in self._lent or now - lent.made_at >= _UNTAUGHT_CHANNEL_SECONDS:
            self._newest = lent = _Lent(self._make(), made_at=now)
            self._lent.add(lent)
        lent.borrowers += 1
        return lent


def _channel(nameservers: Sequence[str], *, seconds_per_try: float, tries: int) -> aiodns.DNSResolver:
    return aiodns.DNSResolver(nameservers, loop=asyncio.get_running_loop(), timeout=seconds_per_try, tries=tries)


def _question(channel: aiodns.DNSResolver, host: str, family: socket.AddressFamily) -> asyncio.Future[AddrInfoResult]:
    return channel.getaddrinfo(host, family=family, type=socket.SOCK_STREAM, flags=_ARES_AI_NOSORT)


def _is_answered(question: asyncio.Future[AddrInfoResult]) -> bool:
    if not question.done():
        return False
    error = question.exception()
    return not (isinstance(error, DNSError) and error.args[0] == ARES_ETIMEOUT)


def _addresses(answer: AddrInfoResult) -> Addresses:
    return [ip_address(node.addr[0].decode("ascii")) for node in answer.nodes]


def _has_addresses(answer: Addresses | DNSError) -> bool:
    return bool(answer) and not isinstance(answer, DNSError)


def _combined(answers: Sequence[Addresses | DNSError]) -> Addresses:
    """The addresses of all answers, IPv4 first: a machine without a route for IPv6 then loses no time."""
    addresses = [address for answer in answers if not isinstance(answer, DNSError) for address in answer]
    if not addresses:
        _check_descriptors()
        for answer in answers:
            if isinstance(answer, DNSError):
                raise NameNotResolved(_REASONS.get(answer.args[0], _FAILED)) from None
    return addresses[:MAX_ADDRESSES]


def _check_descriptors() -> None:
    """Raise the OSError of a process without a free file descriptor, which c-ares reports as a refused connection."""
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()

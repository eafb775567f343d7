"""A name server that does what it should not: it keeps silent, comes late, changes its mind, tells too much.

It speaks UDP on a loopback port, in a thread of its own. Names that were not set do not exist.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

import attrs

A, AAAA = 1, 28
NAME_ERROR, SERVER_FAILURE = 3, 2
_POINTER_TO_QUESTION = b"\xc0\x0c"
_IS_RESPONSE, _RECURSION = 0x8000, 0x0180
_TRUNCATED = 0x0200
PLAIN_LIMIT = 512
"""Bytes of an answer to who did not say that it takes more (RFC 1035)."""


@attrs.frozen(kw_only=True)
class Behaviour:
    """How one name is answered: with each of `answers` in turn, the last one stays; None is silence.

    `delay` is in seconds, as is the time to live `ttl`. `code` other than 0 is an error's. Questions for the type
    `silent_for` get no answer.
    """

    answers: Sequence[Sequence[IPv4Address | IPv6Address] | None] = ((),)
    delay: float = 0.0
    code: int = 0
    ttl: int = 0
    silent_for: int | None = None


class NameServer:
    """`port` is its port on 127.0.0.1. Times to live are 0 unless a test says otherwise."""

    def __init__(self) -> None:
        self._names: dict[str, Behaviour] = {}
        self._asked: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="name-server")

    def answer(
        self, name: str, *addresses: str, delay: float = 0.0, ttl: int = 0, silent_for: int | None = None
    ) -> None:
        self._set(name, Behaviour(answers=[_addresses(addresses)], delay=delay, ttl=ttl, silent_for=silent_for))

    def change(self, name: str, *answers: Sequence[str]) -> None:
        """Another answer each time (counted for each type of record), the last one stays."""
        self._set(name, Behaviour(answers=[_addresses(answer) for answer in answers]))

    def keep_silent(self, name: str) -> None:
        self._set(name, Behaviour(answers=[None]))

    def fail(self, name: str, code: int = SERVER_FAILURE) -> None:
        self._set(name, Behaviour(code=code))

    def flood(self, name: str, count: int) -> None:
        """So many addresses: 127.0.0.1 and those after it."""
        first = IPv4Address("127.0.0.1")
        self._set(name, Behaviour(answers=[[first + number for number in range(count)]]))

    def times_asked(self, name: str) -> int:
        with self._changed:
            return self._asked[name]

    def wait_for(self, name: str, times: int = 1, timeout: float = 10.0) -> None:
        """Blocks until it was asked so often, for any type; TimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._asked[name] >= times, timeout):
                raise TimeoutError(f"{name} was asked for {self._asked[name]} times, not {times}")

    def __enter__(self) -> Self:
        self._thread.start()
        transport, _ = asyncio.run_coroutine_threadsafe(
            self._loop.create_datagram_endpoint(lambda: _Protocol(self), ("127.0.0.1", 0)), self._loop
        ).result(10)
        self._transport = transport
        self.port = int(transport.get_extra_info("sockname")[1])
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def behaviour_of(self, name: str, kind: int) -> tuple[Behaviour, Sequence[IPv4Address | IPv6Address] | None]:
        """The behaviour, and the answer whose turn it is; takes note of the question."""
        with self._changed:
            behaviour = self._names.get(name, Behaviour(code=NAME_ERROR))
            turn = self._asked[f"{name} {kind}"]
            self._asked.update([name, f"{name} {kind}"])
            self._changed.notify_all()
        if kind == behaviour.silent_for:
            return behaviour, None
        return behaviour, behaviour.answers[min(turn, len(behaviour.answers) - 1)]

    def _set(self, name: str, behaviour: Behaviour) -> None:
        with self._changed:
            self._names[name] = behaviour

    async def _close(self) -> None:
        self._transport.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._answering: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, query: bytes, address: tuple[str, int]) -> None:
        name, kind, question = read_question(query)
        behaviour, addresses = self._server.behaviour_of(name, kind)
        if addresses is not None:
            await asyncio.sleep(behaviour.delay)
            self._transport.sendto(response(query, question, kind, addresses, behaviour), address)


def read_question(query: bytes) -> tuple[str, int, bytes]:
    """The name, the type of record, and the bytes of the question itself."""
    labels, position = [], 12
    while length := query[position]:
        labels.append(query[position + 1 : position + 1 + length].decode("ascii").lower())
        position += 1 + length
    end = position + 5
    return ".".join(labels), int.from_bytes(query[position + 1 : position + 3], "big"), query[12:end]


def response(
    query: bytes,
    question: bytes,
    kind: int,
    addresses: Sequence[IPv4Address | IPv6Address],
    behaviour: Behaviour,
) -> bytes:
    fitting = (
        [address for address in addresses if address.version == (4 if kind == A else 6)] if kind in (A, AAAA) else []
    )
    records = [_record(kind, address, behaviour.ttl) for address in fitting]
    flags = _IS_RESPONSE | _RECURSION | behaviour.code
    takes_more = query[10:12] != b"\0\0"  # an additional record, which can only be EDNS
    if sum(map(len, records)) + 12 + len(question) > PLAIN_LIMIT and not takes_more:
        flags, records = flags | _TRUNCATED, []
    counts = b"".join(number.to_bytes(2, "big") for number in (flags, 1, len(records), 0, 0))
    return query[:2] + counts + question + b"".join(records)


def _record(kind: int, address: IPv4Address | IPv6Address, ttl: int) -> bytes:
    fixed = kind.to_bytes(2, "big") + (1).to_bytes(2, "big") + ttl.to_bytes(4, "big")
    return _POINTER_TO_QUESTION + fixed + len(address.packed).to_bytes(2, "big") + address.packed


def _addresses(texts: Sequence[str]) -> list[IPv4Address | IPv6Address]:
    return [ip_address(text) for text in texts]

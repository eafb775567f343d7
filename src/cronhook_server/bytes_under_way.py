"""How many bytes of requests and answers a process holds at a time: what does not fit waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

from attrs import define, field

from cronhook_core.errors import Overloaded, RateLimited
from cronhook_server.request_scope import HELD, AsgiApp, Receive, Scope, Send

MAX_BYTES = 64 * 1024 * 1024
MAX_BYTES_PER_KEY = 16 * 1024 * 1024
WAIT_SECONDS = 2.0


@define(eq=False)
class _Waiter:
    key_id: str
    size: int
    turn: asyncio.Future[None] = field(factory=lambda: asyncio.get_running_loop().create_future())


class BytesUnderWay:
    """Counts what requests hold. Those that wait get their turn in order, but for ones whose key holds its part."""

    def __init__(self, *, at_most: int = MAX_BYTES, per_key: int = MAX_BYTES_PER_KEY) -> None:
        self._at_most = at_most
        self._per_key = per_key
        self._held = 0
        self._of_key: Counter[str] = Counter()
        self._waiting: list[_Waiter] = []

    async def take(self, key_id: str, size: int) -> None:
        """Count ``size`` bytes more for the key, as soon as there is room for them.

        After `WAIT_SECONDS` without, raises `RateLimited` where it is the key itself that holds its part, and
        `Overloaded` where all keys together hold what the process may.
        """
        if not self._waiting and self._fits_key(key_id, size) and self._fits(size):
            self.add(key_id, size)
            return
        waiter = _Waiter(key_id, size)
        self._waiting.append(waiter)
        self._let_through()
        taken = False
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await waiter.turn
            taken = True
        except TimeoutError:
            raise self._refusal(key_id, size) from None
        finally:
            if not taken:
                self._give_up(waiter)

    def add(self, key_id: str, size: int) -> None:
        """Count ``size`` bytes more, or fewer below 0, whether there is room or not."""
        self._held += size
        self._of_key[key_id] += size
        if not self._of_key[key_id]:
            del self._of_key[key_id]
        if size < 0:
            self._let_through()

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            self._let_through()
        else:  # it had its turn in the same moment
            self.add(waiter.key_id, -waiter.size)

    def _let_through(self) -> None:
        for waiter in list(self._waiting):
            if waiter.turn.done() or not self._fits_key(waiter.key_id, waiter.size):
                continue
            if not self._fits(waiter.size):
                return
            self._waiting.remove(waiter)
            self.add(waiter.key_id, waiter.size)
            waiter.turn.set_result(None)

    def _fits(self, size: int) -> bool:
        return self._held + size <= self._at_most

    def _fits_key(self, key_id: str, size: int) -> bool:
        return self._of_key[key_id] + size <= self._per_key

    def _refusal(self, key_id: str, size: int) -> RateLimited | Overloaded:
        if not self._fits_key(key_id, size):
            reason = "other requests of this API key hold all the memory that a key may; wait for their answers first"
            return RateLimited(timedelta(seconds=WAIT_SECONDS), reason)
        return Overloaded("as many bytes of requests and answers are under way as fit in memory; try again")


class HeldBytes:
    """What one request holds."""

    def __init__(self, under_way: BytesUnderWay) -> None:
        self._under_way = under_way
        self._key_id = ""
        self._size = 0

    async def grow(self, key_id: str, size: int) -> None:
        """Wait as `BytesUnderWay.take` does."""
        await self._under_way.take(key_id, size)
        self._key_id = key_id
        self._size += size

    def keep(self, size: int) -> None:
        """From now on the request holds so much. It does not wait: it is there already."""
        if self._size != size:
            self._under_way.add(self._key_id, size - self._size)
            self._size = size


class ByteMeter:
    """Wraps an ASGI application: what a request comes to hold (see `HeldBytes`) is free again at its end."""

    def __init__(self, app: AsgiApp, under_way: BytesUnderWay) -> None:
        self._app = app
        self._under_way = under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = scope[HELD] = HeldBytes(self._under_way)
        try:
            await self._app(scope, receive, send)
        finally:
            held.keep(0)

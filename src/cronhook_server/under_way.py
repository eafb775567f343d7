"""The idempotent requests that this process is at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, field

from cronhook_core.errors import IdempotencyInProgress

WAIT_SECONDS = 5.0

Key = tuple[str, str, str]
"""Workspace, path and idempotency key."""


_NO_ANSWER_YET = "the first request with this idempotency key has no answer yet"


class Patience:
    """For how long a request goes on trying to have its turn."""

    def __init__(self) -> None:
        self._began = self._tried_at = asyncio.get_running_loop().time()

    def try_again(self) -> None:
        """`IdempotencyInProgress` when a try that takes as long as the last one would end too late."""
        now = asyncio.get_running_loop().time()
        took, self._tried_at = now - self._tried_at, now
        if now + took > self._began + WAIT_SECONDS:
            raise IdempotencyInProgress(_NO_ANSWER_YET)


@define
class _Turn:
    lock: asyncio.Lock = field(factory=asyncio.Lock)
    wanted: int = 0


class UnderWay:
    """Lets equal requests act one after the other. Those of other processes meet in the database, at its locks.

    There a request that acts looks like any other that holds what it needs: see `Patience`.
    """

    def __init__(self) -> None:
        self._turns: dict[Key, _Turn] = {}

    @asynccontextmanager
    async def alone(self, key: Key) -> AsyncIterator[None]:
        """Wait until no other request has this key; `IdempotencyInProgress` when that takes too long."""
        turn = self._turns.setdefault(key, _Turn())
        turn.wanted += 1
        try:
            await _acquire(turn.lock)
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[key]


async def _acquire(lock: asyncio.Lock) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await lock.acquire()
    except TimeoutError:
        raise IdempotencyInProgress(_NO_ANSWER_YET) from None

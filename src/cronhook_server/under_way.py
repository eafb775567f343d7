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


@define
class _Turn:
    lock: asyncio.Lock = field(factory=asyncio.Lock)
    wanted: int = 0


class UnderWay:
    """Lets equal requests act one after the other. Those of other processes meet in the database, at its locks."""

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
        raise IdempotencyInProgress("the first request with this idempotency key has no answer yet") from None

"""A queue that keeps no user waiting for what only makes things faster."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.errors import QueueUnavailable
from cronhook_core.ports.queue import Queue

PATIENCE = 0.05
"""Seconds for which whoever stored something waits for the queue to hear of it."""


class PromptQueue:
    """Another queue, whose ``push`` and ``announce`` return soon: then they go on by themselves.

    What is told late, or not at all, is found in the store within a second: a queue that is away is no error either.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def telling(self) -> int:
        """How many calls go on by themselves."""
        return len(self._telling)

    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None:
        await self._tell(self._queue.push(messages, now))

    async def announce(self, due_at: datetime) -> None:
        await self._tell(self._queue.announce(due_at))

    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        return await self._queue.pop(limit, timeout, now)

    async def depth(self) -> int:
        return await self._queue.depth()

    async def wait(self, timeout: timedelta) -> datetime | None:
        return await self._queue.wait(timeout)

    async def _tell(self, telling: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(_unless_away(telling), name="cronhook-tells-the-queue")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        for ended in done:
            ended.result()


async def _unless_away(telling: Coroutine[object, object, None]) -> None:
    with suppress(QueueUnavailable):
        await telling

"""A queue that keeps no user waiting for what only makes things faster."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.errors import QueueUnavailable
from cronhook_core.ports.queue import Queue
from cronhook_server.patience import within

PATIENCE = 0.05
"""Seconds for which whoever stored something waits for the queue to hear of it."""


class PromptQueue:
    """Another queue, whose ``push`` and ``announce`` return soon: then they go on by themselves.

    What is told late, or not at all, is found in the store within a second: a queue that is away is no error either.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None:
        await _tell(self._queue.push(messages, now))

    async def announce(self, due_at: datetime) -> None:
        await _tell(self._queue.announce(due_at))

    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        return await self._queue.pop(limit, timeout, now)

    async def depth(self) -> int:
        return await self._queue.depth()

    async def wait(self, timeout: timedelta) -> datetime | None:
        return await self._queue.wait(timeout)


async def _tell(telling: Awaitable[None]) -> None:
    with suppress(QueueUnavailable, TimeoutError):
        await within(PATIENCE, telling)

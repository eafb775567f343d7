from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from cronhook_core.backends.announcements import Announcements
from cronhook_core.backends.clocks import happens_within
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.ports.clock import Clock

BOUND = 100_000


class MemoryQueue:
    """The `Queue` of one process: schedulers and workers share this object. ``clock`` measures timeouts."""

    def __init__(self, clock: Clock, *, bound: int = BOUND) -> None:
        self._clock = clock
        self._messages: deque[QueueMessage] = deque(maxlen=bound)
        self._filled = asyncio.Event()
        self._announcements = Announcements(clock)

    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None:
        self._messages.extend(messages)
        if self._messages:
            self._filled.set()

    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        deadline = self._clock.monotonic() + timeout.total_seconds()
        while limit > 0 and not self._messages:
            if not await happens_within(self._filled, deadline - self._clock.monotonic(), self._clock):
                break
        return self._take(limit)

    async def depth(self) -> int:
        return len(self._messages)

    async def announce(self, due_at: datetime) -> None:
        self._announcements.tell(due_at)

    async def wait(self, timeout: timedelta) -> datetime | None:
        return await self._announcements.wait(timeout)

    def _take(self, limit: int) -> list[QueueMessage]:
        taken = [self._messages.popleft() for _ in range(min(limit, len(self._messages)))]
        if not self._messages:
            self._filled.clear()
        return taken

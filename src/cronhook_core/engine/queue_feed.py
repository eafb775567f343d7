"""Messages on their way to the queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.engine.availability import Dependency
from cronhook_core.errors import QueueUnavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.queue import Queue

BOUND = 20_000
"""Messages that wait for the queue to answer, at most; the oldest are dropped, for workers look into the store too."""
IDLE = 3600.0


class QueueFeed:
    """Pushes what planning hands it, beside planning: a queue that does not answer holds up no plan."""

    def __init__(self, queue: Queue, *, clock: Clock, dependency: Dependency) -> None:
        self._queue = queue
        self._clock = clock
        self._dependency = dependency
        self._waiting: deque[QueueMessage] = deque(maxlen=BOUND)

    def put(self, messages: Sequence[QueueMessage]) -> None:
        self._waiting.extend(messages)

    async def run_once(self) -> float:
        """Push all that waits, and forget it if that fails; the seconds until the next pass, unless more is put."""
        if not self._waiting:
            return IDLE
        messages = list(self._waiting)
        self._waiting.clear()
        try:
            await self._queue.push(messages, self._clock.now())
        except QueueUnavailable:  # workers find in the store what no message tells them
            self._dependency.failed()
        else:
            self._dependency.answered()
        return IDLE if not self._waiting else 0.0

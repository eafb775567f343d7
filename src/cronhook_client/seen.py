"""Which executions were handled already. Standard library only.

Cronhook delivers at least once: after a crash, or where an answer was lost, a request comes again under the same id.
"""

from __future__ import annotations

import threading
from enum import Enum
from typing import Protocol


class Sighting(Enum):
    """What is known of an execution when one of its requests arrives."""

    NEW = "new"
    UNDER_WAY = "under way"
    HANDLED = "handled"


class Seen(Protocol):
    """Remembers executions by their ids, for all processes that handle them.

    `begin` says what is known of an execution, and with `Sighting.NEW` makes it one that is under way: of callers that
    race, exactly one is told so. `end` follows every `begin` that said `Sighting.NEW`: ``handled`` executions are
    remembered, the others forgotten, so that their next attempt is `Sighting.NEW` again. Where a process may die
    between the two, what is under way has to be forgotten by itself, later than any handler takes.
    """

    def begin(self, execution_id: str) -> Sighting: ...

    def end(self, execution_id: str, *, handled: bool) -> None: ...


class AsyncSeen(Protocol):
    """`Seen`, for coroutines."""

    async def begin(self, execution_id: str) -> Sighting: ...

    async def end(self, execution_id: str, *, handled: bool) -> None: ...


class SeenInMemory:
    """A `Seen` for one process: it remembers the newest ``size`` handled executions, until the process ends."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._handled: dict[str, None] = {}

    def begin(self, execution_id: str) -> Sighting:
        with self._lock:
            if execution_id in self._handled:
                return Sighting.HANDLED
            if execution_id in self._under_way:
                return Sighting.UNDER_WAY
            self._under_way.add(execution_id)
            return Sighting.NEW

    def end(self, execution_id: str, *, handled: bool) -> None:
        with self._lock:
            self._under_way.discard(execution_id)
            if handled:
                self._handled[execution_id] = None
                if len(self._handled) > self._size:
                    del self._handled[next(iter(self._handled))]

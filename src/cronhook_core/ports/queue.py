from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from cronhook_core.domain.execution import QueueMessage


class Queue(Protocol):
    """Carries hints from planners to workers, and wakes planners. It may lose, double and reorder everything.

    Contract: the store holds the truth, so no acknowledgement exists and nothing is re-sent. Errors of the transport
    come out as ``QueueUnavailable``, soon: no call waits longer than its own ``timeout`` plus 2 s for a server.
    """

    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None:
        """Offer messages to workers, in this order. Beyond its bound the oldest are dropped; that is no error."""

    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        """Take up to ``limit`` messages, oldest first; no other pop gets them as well.

        Waits up to ``timeout`` for the first one (0: not at all) and never for more: an empty answer means that nothing
        came. Every message names an execution that was queued when it was pushed. Cancelling loses at most the messages
        that were under way to this caller.
        """

    async def depth(self) -> int:
        """How many messages could be popped now; an estimate, for people and metrics."""

    async def announce(self, due_at: datetime) -> None:
        """Tell every waiting planner that something becomes due at this instant, earlier than it may think."""

    async def wait(self, timeout: timedelta) -> datetime | None:
        """Wait for an announcement made after this call began, or since this caller's last ``wait``.

        Returns the earliest announced instant, or None after ``timeout``. Announcements may be lost.
        """

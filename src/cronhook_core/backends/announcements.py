"""Hands announcements on to those in this process who wait for them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from cronhook_core.backends.clocks import happens_within
from cronhook_core.ports.clock import Clock


class _Mailbox:
    """What was announced to one caller since it last looked: of several instants, the earliest."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self._earliest: datetime | None = None

    def put(self, due_at: datetime) -> None:
        if self._earliest is None or due_at < self._earliest:
            self._earliest = due_at
        self.arrived.set()

    def take(self) -> datetime | None:
        earliest, self._earliest = self._earliest, None
        self.arrived.clear()
        return earliest


class Announcements:
    """The local half of `Queue.announce` and `Queue.wait`.

    A caller is an asyncio task: from its first `expect` or `wait` on it misses nothing between calls, until it ends.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mailboxes: WeakKeyDictionary[asyncio.Task[object], _Mailbox] = WeakKeyDictionary()

    def tell(self, due_at: datetime) -> None:
        for mailbox in self._mailboxes.values():
            mailbox.put(due_at)

    def expect(self) -> None:
        """Keep for this task what is told from now on, for its next `wait`."""
        self._mailbox()

    async def wait(self, timeout: timedelta) -> datetime | None:
        """The earliest instant told since this task's last call, or from now on; None after ``timeout``."""
        mailbox = self._mailbox()
        await happens_within(mailbox.arrived, timeout.total_seconds(), self._clock)
        return mailbox.take()

    def _mailbox(self) -> _Mailbox:
        task = asyncio.current_task()
        assert task is not None, "only a task can wait"  # noqa: S101
        return self._mailboxes.setdefault(task, _Mailbox())

"""Who waits for announcements while the connection that brings them is being made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from cronhook_core.backends.announcements import Announcements
from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.postgres.notifications import Notifications
from cronhook_core.backends.redis.patience import Backoff
from cronhook_core.backends.redis.subscription import Subscription
from cronhook_core.errors import QueueUnavailable, Unavailable

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
A_TURN = 0.2
"""Seconds: less than those after which whoever wants to listen is let go on."""

Ask = Callable[[type[Unavailable]], Awaitable[object]]
Listener = Subscription | Notifications


class Silent:
    """A connection that is made at once, and on which nothing is ever told."""

    async def connect(self) -> None:
        """It is there."""

    async def send_command(self, *words: str) -> None:
        """It is taken."""

    async def read_response(self, timeout: float | None = None) -> list[bytes]:
        if timeout is not None:
            await asyncio.Event().wait()
        return [b"subscribe"]

    async def disconnect(self, *, nowait: bool) -> None:
        """It is gone."""

    async def execute(self, statement: str) -> None:
        """It is done."""

    async def notifies(self) -> AsyncIterator[object]:
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """It is gone."""


def subscription(ask: Ask) -> Subscription:
    clock, backoff = SystemClock(), Backoff(Random(1))
    return Subscription(Silent, "due", lambda _: None, ask=ask, clock=clock, backoff=backoff)


def notifications(ask: Ask) -> Notifications:
    async def connect() -> Silent:
        return Silent()

    return Notifications(connect, Random(1), ask=ask)


@pytest.mark.parametrize("make", [subscription, notifications])
async def test_who_is_answered_when_it_listens_already_does_not_wait_for_it_to_begin(
    make: Callable[[Ask], Listener],
) -> None:
    answers = [asyncio.Event(), asyncio.Event()]
    asked = iter(answers)

    async def ask(_: type[Unavailable]) -> None:
        await next(asked).wait()

    listener = make(ask)
    late, first = (asyncio.create_task(listener.listening(QueueUnavailable)) for _ in range(2))
    await asyncio.sleep(0)
    answers[1].set()
    await first
    answers[0].set()
    await asyncio.wait_for(late, A_TURN)
    await listener.close()


async def test_what_is_told_before_the_wait_is_kept_for_whoever_expects_it() -> None:
    announcements = Announcements(SystemClock())
    announcements.expect()
    announcements.tell(NOW)
    assert await announcements.wait(timedelta(0)) == NOW

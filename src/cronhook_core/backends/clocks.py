"""The clock of this machine, and how the other backends wait by a clock."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from cronhook_core.ports.clock import Clock


class SystemClock:
    """This machine's clocks. All nodes agree as well as their machines do."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        left = seconds
        while True:
            await asyncio.sleep(max(0.0, left))
            left = deadline - time.monotonic()
            if left <= 0:  # event loops may wake up to a millisecond early
                return


async def happens_within(event: asyncio.Event, seconds: float, clock: Clock) -> bool:
    """Wait for the event, for at most ``seconds`` of ``clock`` (0 or less: not at all); whether it is set."""
    if event.is_set() or seconds <= 0:
        return event.is_set()
    happening = asyncio.ensure_future(event.wait())
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((happening, sleeping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        happening.cancel()
        sleeping.cancel()
    return event.is_set()

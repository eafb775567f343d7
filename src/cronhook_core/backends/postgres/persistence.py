"""How often and how long something is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from cronhook_core.backends.postgres.failures import DRIVER_ERRORS, Failure, judged
from cronhook_core.errors import Unavailable

FIRST_PAUSE = 0.01
LONGEST_PAUSE = 0.25

T = TypeVar("T")


async def persist(
    attempt: Callable[[], Awaitable[T]],
    *,
    may_repeat: Callable[[Failure], bool],
    until: float,
    random: Random,
    error: type[Unavailable],
) -> T:
    """Try, and try again after a growing pause while ``may_repeat`` allows, but not later than ``until``.

    ``until`` is a time of the event loop. What failed for good comes out as ``error``.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return await attempt()
        except DRIVER_ERRORS as raised:
            failure = judged(raised)
            wait = pause * random.uniform(0.5, 1.0)
            if not may_repeat(failure) or asyncio.get_running_loop().time() + wait > until:
                raise failure.as_error(error) from raised
        await asyncio.sleep(wait)
        pause = min(LONGEST_PAUSE, pause * 2)

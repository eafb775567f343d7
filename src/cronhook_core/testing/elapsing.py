"""How the contract suites let time go by: virtual time is advanced, a server's own time is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Elapse = Callable[[float], Awaitable[None]]
"""Lets this many seconds go by, for the backend under test as well as for the test."""

REAL_SECONDS = 10.0
"""Real seconds after which something that needs no time to go by counts as not happening."""

_STEP = 0.05
_T = TypeVar("_T")


async def let_finish(task: asyncio.Task[_T], elapse: Elapse, *, at_most: float) -> _T:
    """The task's result, with time going by until it is there; ``AssertionError`` after ``at_most`` seconds."""
    elapsed = 0.0
    while not task.done() and elapsed < at_most:
        await elapse(_STEP)
        elapsed += _STEP
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        raise AssertionError(f"{task.get_name()} is not done after {at_most} s")
    return task.result()


async def soon(task: asyncio.Task[_T]) -> _T:
    """The task's result, which comes without any time going by."""
    done, _ = await asyncio.wait([task], timeout=REAL_SECONDS)
    if not done:
        task.cancel()
        await asyncio.wait([task])
        raise AssertionError(f"{task.get_name()} waits for time to go by")
    return task.result()

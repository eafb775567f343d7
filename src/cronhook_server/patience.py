"""How long somebody is kept waiting for what a backend says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from cronhook_core.errors import CronhookError

T = TypeVar("T")

_going_on: set[asyncio.Future[Any]] = set()


async def within(seconds: float, call: Awaitable[T]) -> T:
    """The answer to ``call``. ``TimeoutError`` when it takes longer: then it goes on by itself, and its end is its own.

    It is not cancelled: the driver of Postgres would ask the server to cancel the statement, and wait five seconds more
    for a server that says nothing.
    """
    task = asyncio.ensure_future(call)
    _going_on.add(task)
    task.add_done_callback(_going_on.discard)
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        task.add_done_callback(_end_unheard)
        raise TimeoutError
    return task.result()


def _end_unheard(task: asyncio.Future[Any]) -> None:
    """That a backend is away was told by the timeout; what nobody foresaw is told now."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, CronhookError):
        message = "what nobody waited for any more failed"
        task.get_loop().call_exception_handler({"message": message, "exception": error, "future": task})

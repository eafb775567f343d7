"""Calls that come together go out together: one statement for many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from cronhook_core.errors import StoreBusy, Unavailable

Q = TypeVar("Q")
A = TypeVar("A")

QUIET_TURNS = 3
"""Of the event loop, without a new question. A request is read in one turn and asks in the next."""


class Grouped(Generic[Q, A]):
    """Answers many questions with one call of ``answer_all``, which gives an answer for each, in their order.

    A question that comes while nothing is under way goes out in the same turn of the event loop, with all others of
    that turn. What comes while a call is under way waits for its end, and goes out with the next one, up to ``at_most``
    in each. Where the last call was for several, others are on their way: then the next one gathers while turns of
    the event loop bring more. So a busy process asks seldom, and one with time to spare does not wait.

    Callers do not feel each other: a caller that is cancelled leaves the others alone, and where a group fails although
    the database is there, each of its questions is asked again by itself. While the database is away all of them fail,
    and with them those that wait: each would wait as long for the same.
    """

    def __init__(self, answer_all: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, at_most: int) -> None:
        self._answer_all = answer_all
        self._at_most = at_most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._working: asyncio.Task[None] | None = None
        self._several = False

    @property
    def idle(self) -> bool:
        return self._working is None

    async def ask(self, question: Q) -> A:
        """The answer to this question, or what ``answer_all`` raised."""
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                if self._several:
                    await self._gather()
                self._several = len(self._waiting) > 1
                group = self._waiting[: self._at_most]
                del self._waiting[: self._at_most]
                wanted = [(question, future) for question, future in group if not future.done()]
                if wanted:
                    await self._answer(wanted)
        finally:
            self._working = None
            for _, future in self._waiting:  # left where the event loop ends
                future.cancel()
            self._waiting.clear()

    async def _gather(self) -> None:
        quiet = 0
        while quiet < QUIET_TURNS and len(self._waiting) < self._at_most:
            before = len(self._waiting)
            await asyncio.sleep(0)
            quiet = 0 if len(self._waiting) > before else quiet + 1

    async def _answer(self, group: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._answer_all([question for question, _ in group])
        except asyncio.CancelledError:
            for _, future in group:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where each question was asked
            if len(group) > 1 and not isinstance(error, Unavailable):
                for one in group:
                    await self._answer([one])
                return
            _fail([*group, *self._those_that_would_wait_as_long(error)], error)
            return
        for (_, future), answer in zip(group, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    def _those_that_would_wait_as_long(self, error: Exception) -> Sequence[tuple[Q, asyncio.Future[A]]]:
        if not isinstance(error, Unavailable) or isinstance(error, StoreBusy):
            return ()
        waiting, self._waiting = self._waiting, []
        return waiting


def _fail(group: Sequence[tuple[object, asyncio.Future[A]]], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)

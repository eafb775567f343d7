"""Coroutines without an event loop: each runs from one boundary to the next, when it is told to.

A boundary lies before and after every call that leaves a process. There a node may be interleaved with others, die, or
lose an answer.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

AWAITING_ANSWER = "receiver's answer"
"""The boundary that only a receiver's answer leads across."""


@types.coroutine
def pause(boundary: str) -> Generator[str, Any, Any]:
    """Stand at this boundary; returns what the pass is given to go on with."""
    return (yield boundary)


class Pass:
    """A coroutine on its way. ``at`` is the boundary where it stands, ``result`` what it returned in the end."""

    __slots__ = ("_begin", "_coroutine", "at", "done", "result")

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._begin = begin
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self.at = "start"
        self.done = False
        self.result: Any = None

    def step(self, given: object = None) -> None:
        """To the next boundary."""
        if self._coroutine is None:
            self._coroutine = self._begin()
        self._advance(self._coroutine.send, given)

    def fail(self, error: Exception) -> None:
        """What is called at this boundary fails, or its answer is lost; then to the next boundary."""
        if self._coroutine is not None:
            self._advance(self._coroutine.throw, error)

    def run(self) -> None:
        """To the end, or until only a receiver's answer leads on."""
        while not self.done and self.at != AWAITING_ANSWER:
            self.step()

    def kill(self) -> None:
        """It never goes on."""
        self.done = True
        if self._coroutine is not None:
            self._coroutine.close()

    def _advance(self, move: Any, value: object) -> None:
        try:
            self.at = move(value)
        except StopIteration as stop:
            self.at, self.done, self.result = "end", True, stop.value

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and waits. Nothing else in cronhook reads a clock.

    Contract: ``now`` is an aware instant in UTC that all nodes of one installation agree on as well as the backend can;
    it may step. ``monotonic`` counts seconds from an arbitrary start and never steps or goes back; only differences on
    one node mean something. ``sleep`` returns after at least ``seconds`` of monotonic time (0 or less: after giving
    other tasks a turn) and is cancellable.
    """

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

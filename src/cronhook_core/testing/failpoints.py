"""Named points before and after every call of a port, at which a process can be made to fail.

A point is ``<port>.<method>.before`` or ``.after``. What happens there is written as ``POINT=ACTION[:SECONDS][@N[+]]``,
several separated by ``;``: at every call, at the Nth one only (``@3``), or from the Nth one on (``@3+``). Actions:

* ``kill``: the process ends as by kill -9;
* ``stop``: the process stops as by SIGSTOP, until it gets a SIGCONT;
* ``sleep:SECONDS``: this call waits, everything else goes on;
* ``raise``: the call fails as when the dependency is away: before, nothing was done; after, the answer was lost.

The points are enumerated from the ports: a method that a port gets has its points at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from attrs import frozen

from cronhook_core.errors import (
    CronhookError,
    LockUnavailable,
    QueueUnavailable,
    RateLimiterUnavailable,
    StoreUnavailable,
)
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.lock import Lock
from cronhook_core.ports.queue import Queue
from cronhook_core.ports.rate_limiter import RateLimiter
from cronhook_core.ports.webhook_sender import WebhookSender
from cronhook_core.testing.interposed import Around, interposed, port_methods

T = TypeVar("T")

BEFORE, AFTER = "before", "after"
PORTS: dict[str, type[Any]] = {
    "store": JobStore,
    "accounts": AccountStore,
    "queue": Queue,
    "lock": Lock,
    "limiter": RateLimiter,
    "sender": WebhookSender,
}
"""The ports by the first word of their points."""

_AWAY: dict[str, type[CronhookError]] = {
    "store": StoreUnavailable,
    "accounts": StoreUnavailable,
    "queue": QueueUnavailable,
    "lock": LockUnavailable,
    "limiter": RateLimiterUnavailable,
}
_WORDS = {"__call__": "send"}
_SPELLING = re.compile(
    r"(?P<point>[\w.]+)=(?P<action>[a-z]+)(?::(?P<seconds>\d+(?:\.\d+)?))?(?:@(?P<hit>[1-9]\d*)(?P<onwards>\+?))?"
)


class Action(StrEnum):
    KILL = "kill"
    STOP = "stop"
    SLEEP = "sleep"
    RAISE = "raise"


@frozen(kw_only=True)
class Failpoint:
    """What happens at ``point`` from the ``first`` call on, or at that call alone."""

    point: str
    action: Action
    seconds: float = 0.0
    first: int = 1
    once: bool = False

    def applies(self, hit: int) -> bool:
        """Whether the point's ``hit``-th call (from 1) fails."""
        return hit == self.first if self.once else hit >= self.first


Perform = Callable[[Failpoint], Awaitable[None]]
Tell = Callable[[Failpoint, int], None]


def point_name(port: str, method: str, moment: str) -> str:
    return f"{port}.{_WORDS.get(method, method)}.{moment}"


def failpoint_names() -> list[str]:
    """All points, sorted."""
    return sorted(
        point_name(name, method, moment)
        for name, port in PORTS.items()
        for method in port_methods(port)
        for moment in (BEFORE, AFTER)
    )


def read_failpoints(text: str) -> list[Failpoint]:
    """Raises ``ValueError``, one sentence, for what is not spelled as above and for points that do not exist."""
    known = set(failpoint_names())
    written = [part.strip() for part in text.split(";") if part.strip()]
    return [_read(part, known) for part in written]


def _read(part: str, known: set[str]) -> Failpoint:
    spelled = _SPELLING.fullmatch(part)
    if spelled is None or spelled["action"] not in list(Action):
        raise ValueError(f"{part!r} is not POINT=ACTION[:SECONDS][@N[+]] with one of {', '.join(Action)}")
    if spelled["point"] not in known:
        raise ValueError(f"there is no point {spelled['point']!r}")
    if (spelled["action"] == Action.SLEEP) != (spelled["seconds"] is not None):
        raise ValueError(f"{part!r}: sleep, and nothing else, takes seconds")
    return Failpoint(
        point=spelled["point"],
        action=Action(spelled["action"]),
        seconds=float(spelled["seconds"] or 0),
        first=int(spelled["hit"] or 1),
        once=spelled["hit"] is not None and not spelled["onwards"],
    )


async def perform(failpoint: Failpoint) -> None:
    """Do to this process what the failpoint says."""
    match failpoint.action:
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.STOP:
            os.kill(os.getpid(), signal.SIGSTOP)
        case Action.SLEEP:
            await asyncio.sleep(failpoint.seconds)
        case Action.RAISE:
            raise _AWAY.get(failpoint.point.partition(".")[0], ConnectionError)(f"failpoint {failpoint.point}")


def tell(failpoint: Failpoint, hit: int) -> None:
    """Write a line of JSON to standard error, where it stands even if the process dies at once."""
    line = {"event": "failpoint", "point": failpoint.point, "action": failpoint.action, "hit": hit}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


class Failpoints:
    """Failpoints that are switched on, and how often each point was passed."""

    def __init__(self, failpoints: Sequence[Failpoint], *, perform: Perform = perform, tell: Tell = tell) -> None:
        self._failpoints = failpoints
        self._perform = perform
        self._tell = tell
        self.hits: Counter[str] = Counter()

    def wrap(self, port: str, target: T) -> T:
        """``target`` with its points; ``port`` is one of the words of `PORTS`."""
        return interposed(target, PORTS[port], self._around(port))

    def _around(self, port: str) -> Around:
        async def around(method: str, call: Callable[[], Awaitable[Any]]) -> Any:
            await self._pass(point_name(port, method, BEFORE))
            answer = await call()
            await self._pass(point_name(port, method, AFTER))
            return answer

        return around

    async def _pass(self, point: str) -> None:
        self.hits[point] += 1
        hit = self.hits[point]
        for failpoint in self._failpoints:
            if failpoint.point == point and failpoint.applies(hit):
                self._tell(failpoint, hit)
                await self._perform(failpoint)

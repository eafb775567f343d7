"""How much of a process's time the requests of one API key may take, so that they leave time for everything else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, ParamSpec, TypeVar

from attrs import define, field

from cronhook_core.errors import RateLimited
from cronhook_server.request_scope import CALLER, AsgiApp, Receive, Scope, Send

BURST_SECONDS = 0.5
"""Of time that a key may take at once after it was idle."""
MOST_PAID_OFF_SECONDS = 1.0
"""A key waits no longer than this for one step, however long that took: the machine may have been busy otherwise."""
WAIT_SECONDS = 5.0
STEP_SECONDS = 0.005
"""After so long a computation lets others go on."""
_MOST_ACCOUNTS = 1000
_REASON = "the requests of this API key take too much processing time: send fewer at a time, or smaller ones"

P = ParamSpec("P")
T = TypeVar("T")


@define
class _Account:
    """``balance`` is in seconds, as of ``at``; below zero the key waits."""

    balance: float
    at: float
    line: asyncio.Lock = field(factory=asyncio.Lock)


class CpuBudgets:
    """Each key earns ``share`` of the time that passes, up to `BURST_SECONDS`, and spends what its requests compute.

    Computing is counted in elapsed time, in which the event loop does nothing else: on a busy machine a step takes
    longer, and costs more. Budgets are those of this process, in memory. ``now`` and ``sleep`` are of real time also
    where the server runs on a virtual clock.
    """

    def __init__(
        self,
        *,
        share: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._share = share
        self._now = now
        self._sleep = sleep
        self._accounts: dict[str, _Account] = {}
        self._thread = asyncio.Lock()

    def spend(self, key_id: str, seconds: float) -> None:
        account = self._account(key_id)
        self._earn(account)
        account.balance = max(account.balance - seconds, -MOST_PAID_OFF_SECONDS * self._share)

    async def turn(self, key_id: str) -> None:
        """Wait until the key's budget is not overdrawn.

        Requests of one key get their turns one after the other: a turn begins after the step that the one before it led
        to is paid for. `RateLimited` for those whose turn would not begin within `WAIT_SECONDS`.
        """
        async with self._turn(key_id):
            pass

    async def each(self, key_id: str, steps: Iterable[T]) -> list[T]:
        """What ``steps`` yield. Others go on between the steps, and a key that has used up its budget waits there."""
        found: list[T] = []
        began = time.perf_counter()
        for step in steps:
            found.append(step)
            if time.perf_counter() - began > STEP_SECONDS:
                await asyncio.sleep(0)
                await self.turn(key_id)
                began = time.perf_counter()
        return found

    async def in_thread(self, key_id: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it in a thread, one call at a time: more threads would leave the event loop less of the interpreter."""
        loop = asyncio.get_running_loop()

        def call() -> T:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                loop.call_soon_threadsafe(self.spend, key_id, time.perf_counter() - began)

        async with self._turn(key_id), self._thread:
            return await asyncio.to_thread(call)

    @asynccontextmanager
    async def _turn(self, key_id: str) -> AsyncIterator[None]:
        account, asked_at = self._account(key_id), self._now()
        async with account.line:
            while (wait := self._overdrawn_for(account)) > 0:
                if self._now() + wait > asked_at + WAIT_SECONDS:
                    raise RateLimited(timedelta(seconds=max(wait, 1)), _REASON)
                await self._sleep(wait)
            yield

    def _overdrawn_for(self, account: _Account) -> float:
        self._earn(account)
        return -account.balance / self._share

    def _earn(self, account: _Account) -> None:
        now = self._now()
        account.balance = min(BURST_SECONDS, account.balance + (now - account.at) * self._share)
        account.at = now

    def _account(self, key_id: str) -> _Account:
        account = self._accounts.get(key_id)
        if account is None:
            if len(self._accounts) >= _MOST_ACCOUNTS:
                self._forget_idle()
            account = self._accounts[key_id] = _Account(BURST_SECONDS, self._now())
        return account

    def _forget_idle(self) -> None:
        """An account that is full is as good as a new one."""
        for key_id, account in list(self._accounts.items()):
            self._earn(account)
            if account.balance == BURST_SECONDS and not account.line.locked():
                del self._accounts[key_id]


class CpuMeter:
    """Wraps an ASGI application: the time that a request computes is spent from the budget of its key."""

    def __init__(self, app: AsgiApp, budgets: CpuBudgets) -> None:
        self._app = app
        self._budgets = budgets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unpaid = 0.0

        def spend(seconds: float) -> None:
            nonlocal unpaid
            unpaid += seconds
            if (caller := scope.get(CALLER)) is not None:  # who it is, is known after some steps
                self._budgets.spend(caller.id, unpaid)
                unpaid = 0.0

        await _Metered(self._app(scope, receive, send), spend)


class _Metered:
    """Awaits ``work``, and calls ``spend`` with the seconds of each step that it takes between two waits."""

    def __init__(self, work: Awaitable[None], spend: Callable[[float], None]) -> None:
        self._work = work
        self._spend = spend

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._work.__await__()
        resume: Callable[[], Any] = partial(next, steps)
        while True:
            began = time.perf_counter()
            try:
                awaited = resume()
            except StopIteration:
                return
            finally:
                self._spend(time.perf_counter() - began)
            try:
                resume = partial(steps.send, (yield awaited))
            except BaseException as error:  # noqa: BLE001 - cancellation as well is for the work to see
                resume = partial(steps.throw, error)

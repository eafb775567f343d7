"""The processes of the model: cronhook's own scheduler, reaper, worker and job service, driven pass by pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

from cronhook_core.domain.claim import Claim, ClaimRef
from cronhook_core.domain.webhook import WebhookRequest, WebhookResult
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.job_service import JobService
from cronhook_core.engine.reaper import Reaper
from cronhook_core.engine.scheduler import Scheduler, SchedulerOptions
from cronhook_core.engine.worker import Worker, WorkerOptions
from cronhook_core.errors import CronhookError, LockUnavailable, QueueUnavailable, StoreUnavailable, Unavailable
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.lock import Lease, Lock
from cronhook_core.ports.queue import Queue
from cronhook_core.testing.interposed import Around, interposed
from tests.model.passes import AWAITING_ANSWER, Pass, pause
from tests.model.virtual_time import MICROSECONDS, NodeClock

if TYPE_CHECKING:
    from tests.model.world import World

AWAY: dict[str, type[Unavailable]] = {"store": StoreUnavailable, "queue": QueueUnavailable, "lock": LockUnavailable}
BATCH = 2
"""Due jobs that a scheduler plans in one step: fewer than the model has, so that a pass has several."""
CONCURRENCY = 4
TRUSTED_FOR = 7.0
"""Seconds from its last beat for which a worker may start sends; a promise, and so not read from the source."""

Call = Callable[[], Coroutine[Any, Any, Any]]
"""What a user asks for, once it is begun."""
Loop = Callable[[], Coroutine[Any, Any, Any]]


class Node:
    """A process: loops that make passes, of which at most one each is under way.

    ``suspended``: it stands still, as after SIGSTOP. ``repeats``: its next statement reaches the store twice.
    """

    def __init__(self, world: World, name: str, skew: timedelta) -> None:
        self.world = world
        self.name = name
        self.clock = NodeClock(world.time, skew)
        self.random = Random(name)
        self.dependencies = Dependencies(world.hooks, self.random)
        self.suspended = False
        self.repeats = False
        self.at_once = False
        self.loops: dict[str, Loop] = {}
        self.timers: dict[str, int] = {}
        self.under_way: dict[str, Pass] = {}
        self.store = interposed(world.store, JobStore, self._around("store"))
        self.queue = interposed(world.queue, Queue, self._around("queue"))
        self.lock = interposed(world.lock, Lock, self._around("lock"))

    @property
    def passes(self) -> list[Pass]:
        """What stands at a boundary."""
        return list(self.under_way.values())

    def begin(self, loop: str) -> Pass:
        """The pass of this loop that is under way, or a new one."""
        if loop not in self.under_way:
            self.under_way[loop] = Pass(self.loops[loop])
        return self.under_way[loop]

    def run(self, loop: str) -> None:
        """Make a pass to its end, or bring the one under way there."""
        one = self.begin(loop)
        if self.may_step(one):
            self.at_once = True
            one.run()
            self.at_once = False
            self.after(one)

    def step(self, one: Pass) -> None:
        if self.may_step(one):
            one.step()
            self.after(one)

    def fail(self, one: Pass) -> None:
        """The call at whose boundary the pass stands fails, or its answer is lost."""
        port = one.at.partition(".")[0]
        if port in AWAY and self.may_step(one):
            one.fail(AWAY[port](f"failed at {one.at}"))
            self.after(one)

    def may_step(self, one: Pass) -> bool:
        return not self.suspended and one.at != AWAITING_ANSWER

    def after(self, one: Pass) -> None:
        """A pass came to its end, or to a boundary."""
        if one.done:
            loop = next((name for name, mine in self.under_way.items() if mine is one), None)
            if loop is not None:
                del self.under_way[loop]
                if loop in self.timers:
                    self.timers[loop] = self.world.time.elapsed + max(1, round(one.result * 1_000_000))

    def kill(self) -> None:
        """None of its passes goes on."""
        for one in self.passes:
            one.kill()
        self.under_way.clear()

    def called(self, port: str, method: str, began: int, answer: object) -> None:
        """A call came back; ``began`` is when it was made."""

    def _around(self, port: str) -> Around:
        async def around(method: str, call: Callable[[], Awaitable[Any]]) -> Any:
            began = self.world.time.elapsed
            if not self.at_once:
                await pause(_boundary(port, method, "before"))
            if self.world.away[port]:
                raise AWAY[port](f"{port} is away")
            if port == "lock" and self.world.lock_lies:
                return Lease(name="scheduler", token=self.name) if method == "acquire" else True
            if self.repeats:
                self.repeats = False
                await call()
            answer = await call()
            self.called(port, method, began, answer)
            if not self.at_once:
                await pause(_boundary(port, method, "after"))
            return answer

        return around


class SchedulerNode(Node):
    """Plans, and reaps as if it always led: correctness never depends on who does."""

    def __init__(self, world: World, name: str, skew: timedelta) -> None:
        super().__init__(world, name, skew)
        options = SchedulerOptions(batch=BATCH)
        scheduler = Scheduler(
            self.store,
            self.queue,
            self.lock,
            clock=self.clock,
            hooks=world.hooks,
            dependencies=self.dependencies,
            options=options,
        )
        reaper = Reaper(self.store, clock=self.clock, hooks=world.hooks, leads=lambda: True)
        self.loops = {
            "lead": scheduler.lead,
            "plan": scheduler.run_once,
            "push": scheduler.push,
            "reap": reaper.run_once,
        }
        self.timers = {"reap": world.time.elapsed}


class WorkerNode(Node):
    """A worker whose tasks are passes. ``sends`` are its requests under way, by claim."""

    def __init__(self, world: World, name: str, skew: timedelta) -> None:
        super().__init__(world, name, skew)
        self.sends: dict[ClaimRef, Pass] = {}
        self._claims: dict[ClaimRef, Claim] = {}
        self.alive_at = world.time.elapsed
        delivery = Delivery(self._send, keys=None, clock=self.clock, random=self.random, user_agent="model")
        self.worker = Worker(
            self.store,
            self.queue,
            delivery,
            clock=self.clock,
            hooks=world.hooks,
            random=self.random,
            dependencies=self.dependencies,
            options=WorkerOptions(concurrency=CONCURRENCY),
        )
        self._tasks = self.worker._sends
        self._tasks.start = self._start  # type: ignore[method-assign]
        self.loops = {
            "beat": self.worker._beat,
            "claim": self.worker._intake.run_once,
            "pop": self.worker._intake._pop,
            "results": self._write_results,
        }
        self.timers = {"beat": world.time.elapsed}
        self._claiming: Pass | None = None

    @property
    def worker_id(self) -> str | None:
        return self.worker._life.worker_id

    @property
    def held(self) -> frozenset[ClaimRef]:
        """What it has claimed, as it believes, and not yet reported."""
        return self._tasks.held

    @property
    def unsent(self) -> list[ClaimRef]:
        """Those of its sends that have not left."""
        return [ref for ref in self.sends if ref in self._tasks._unsent]

    async def _write_results(self) -> None:
        """A group of each kind."""
        for lane in self.worker._results._loops:
            await self.worker._results._write_from(lane)

    async def end_life(self) -> None:
        await self.worker._life.end()

    @property
    def passes(self) -> list[Pass]:
        return [*super().passes, *self.sends.values()]

    def send_all(self) -> None:
        """Let every claimed request leave that has not left."""
        for one in list(self.sends.values()):
            if self.may_step(one):
                self.at_once = True
                one.run()
                self.at_once = False
                self.after(one)

    def answer(self, one: Pass, result: WebhookResult) -> None:
        if not self.suspended and one.at == AWAITING_ANSWER:
            one.step(result)
            self.after(one)

    def may_step(self, one: Pass) -> bool:
        """A pass that would wait for another of the same process, which claims, cannot be driven meanwhile."""
        claims_itself = self._claiming is one or not self.worker._intake.claiming.locked()
        return super().may_step(one) and (claims_itself or one in self.sends.values())

    def after(self, one: Pass) -> None:
        super().after(one)
        locked = self.worker._intake.claiming.locked()
        self._claiming = (self._claiming or one) if locked else None
        if one.done:
            self._end_sends()

    def called(self, port: str, method: str, began: int, answer: object) -> None:
        if method in ("beat", "register_worker") and answer is not False:
            self.alive_at = began
            self.world.called(self)

    def _end_sends(self) -> None:
        for ref in [ref for ref, one in self.sends.items() if one.done]:
            del self.sends[ref]
            self._tasks._leave(ref, self._claims.pop(ref))

    def _start(self, claim: Claim) -> None:
        """What `Sends.start` does, with a pass for a task."""
        self._tasks._held[claim.ref] = claim
        self._tasks._unsent.add(claim.ref)
        self._tasks._tasks[claim.ref] = cast(Any, None)
        self._claims[claim.ref] = claim
        self.sends[claim.ref] = Pass(partial(self._tasks._send, claim.ref, claim))

    async def _send(self, request: WebhookRequest) -> WebhookResult:
        silent = (self.world.time.elapsed - self.alive_at) / MICROSECONDS
        if silent >= TRUSTED_FOR:
            self.world.ledger.notice(f"I10 {self.worker_id}: it started a send after {silent} s without a beat")
        if not self.at_once:
            await pause("sender.send.before")
        self.world.ledger.arrived(dict(request.headers))
        return cast(WebhookResult, await pause(AWAITING_ANSWER))


class ApiNode(Node):
    """Answers users, each call a pass of its own."""

    def __init__(self, world: World, name: str, skew: timedelta) -> None:
        super().__init__(world, name, skew)
        self.jobs = JobService(
            cast(Any, self.store), self.queue, clock=self.clock, random=self.random, targets=None, max_jobs=None
        )
        self.calls: list[Pass] = []

    @property
    def passes(self) -> list[Pass]:
        return self.calls

    def call(self, call: Call) -> Pass:
        one = Pass(partial(_refusable, call))
        self.calls.append(one)
        return one

    def run_call(self, one: Pass) -> None:
        if self.may_step(one):
            self.at_once = True
            one.run()
            self.at_once = False
            self.after(one)

    def after(self, one: Pass) -> None:
        if one.done:
            self.calls.remove(one)

    def kill(self) -> None:
        super().kill()
        self.calls.clear()


async def _refusable(call: Call) -> None:
    with suppress(CronhookError):
        await call()


@cache
def _boundary(port: str, method: str, moment: str) -> str:
    return f"{port}.{method}.{moment}"

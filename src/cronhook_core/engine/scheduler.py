"""Turns due jobs into executions, on the node that leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from attrs import field, frozen

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.domain.planning import DueJob, JobPlan
from cronhook_core.domain.time_zone import zone_database_version
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.background import BackgroundLoop, until_round
from cronhook_core.engine.foresight import Foresight
from cronhook_core.engine.leadership import Leadership, LeaseTimes
from cronhook_core.engine.outlook import Outlook
from cronhook_core.engine.planner import plan_jobs
from cronhook_core.engine.queue_feed import QueueFeed
from cronhook_core.engine.upkeep import upkeep_loops
from cronhook_core.errors import QueueUnavailable, StoreBusy, StoreUnavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.lock import Lock
from cronhook_core.ports.queue import Queue

LONGEST_SLEEP = 1.0
"""Seconds that a planner sleeps at most, give or take a hundredth, should an announcement be lost."""
SHORTEST_SLEEP = 0.05
"""Seconds between two tries of what was due and could not be planned."""
LISTEN_FOR = timedelta(seconds=5)
FIRST_BATCH = 50
"""Due jobs that are planned in the first step of a pass; each step after it may plan twice as many.

So workers have something to send soon, however many jobs are due at one instant.
"""
HEAD_START = 0.005
"""Seconds that a pass leaves to workers after its first step, for planning takes what the machine has."""


@frozen(kw_only=True)
class SchedulerOptions:
    """``batch`` due jobs are planned in one step at most. ``overdue_after``: a follower plans what is later than this.

    ``zone_rules`` is the version of the time zone rules by which this node computes instants.
    """

    lease: LeaseTimes = field(factory=LeaseTimes)
    batch: int = 500
    retries_pushed_at_once: int = 5000
    overdue_after: timedelta = timedelta(seconds=3)
    retention: timedelta = timedelta(days=30)
    zone_rules: str = field(factory=zone_database_version)


class Scheduler:
    """Plans what is due while it leads, tells workers of it, and looks after dead workers and old records.

    `start` returns at once; `stop` lets the batch under way end and gives the lead back, so that another node takes
    over at once; `stop(at_once=True)` waits for nothing. Both may be repeated. Any number may run on one store.

    ``clock_jumps`` says whether ``clock`` refuses a jump of the server that it follows; nothing is pruned meanwhile.
    """

    def __init__(
        self,
        store: JobStore,
        queue: Queue,
        lock: Lock,
        *,
        clock: Clock,
        hooks: EngineHooks,
        dependencies: Dependencies,
        options: SchedulerOptions | None = None,
        clock_jumps: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._hooks = hooks
        self._dependencies = dependencies
        self._options = options or SchedulerOptions()
        self._leadership = Leadership(
            lock,
            clock=clock,
            hooks=hooks,
            dependency=dependencies.lock,
            times=self._options.lease,
            unfit=self._unfit_to_lead,
        )
        self._feed = QueueFeed(queue, clock=clock, dependency=dependencies.queue)
        self._outlook = Outlook(store, self._options.retries_pushed_at_once)
        self._foresight = Foresight(store, clock=clock, hooks=hooks)
        self._next_pass = 0.0
        self._first_batch = min(FIRST_BATCH, self._options.batch)
        self._held_up: set[str] = set()
        self._announced_ends: set[str] = set()
        self._busy_since: float | None = None
        self._answered_since: float | None = None
        self._stopping = False
        self._planning = BackgroundLoop("planning", self.run_once, clock=clock, hooks=hooks)
        self._leading = BackgroundLoop("leadership", self.lead, clock=clock, hooks=hooks, wait=self._leadership.wait)
        self._pushing = BackgroundLoop("pushing", self.push, clock=clock, hooks=hooks)
        listening = BackgroundLoop("announcements", self._listen, clock=clock, hooks=hooks)
        upkeep = upkeep_loops(
            store,
            clock=clock,
            hooks=hooks,
            retention=self._options.retention,
            zone_rules=self._options.zone_rules,
            leads=lambda: self.leads,
            cleans_up=lambda: self._cleans_up,
            moved=self._instants_moved,
            clock_jumps=clock_jumps,
        )
        self._dispensable: tuple[BackgroundLoop, ...] = (self._foresight.looking, listening, *upkeep)

    @property
    def leads(self) -> bool:
        return self._leadership.leads

    def start(self) -> None:
        for loop in (self._leading, self._planning, self._pushing, *self._dispensable):
            loop.start()

    async def stop(self, *, at_once: bool = False) -> None:
        self._stopping = True
        if at_once:
            aborted: tuple[BackgroundLoop, ...] = (self._planning, self._leading, self._pushing, *self._dispensable)
        else:
            await self._planning.stop()
            await self._leading.stop()
            await self._leadership.resign("it stops")
            await self._pushing.stop()
            await self._feed.run_once()
            aborted = self._dispensable
        await asyncio.gather(*(loop.abort() for loop in aborted))

    async def lead(self) -> float:
        """Keep or seek the lead; the seconds until it has to be called again."""
        planned = self._plans
        await self._leadership.keep()
        if self._plans and not planned:
            self._look_again()
        return self._leadership.next_request_in

    async def push(self) -> float:
        """Tell workers what was planned; the seconds until it has to be called again, unless more is planned."""
        return await self._feed.run_once()

    async def run_once(self) -> float:
        """Plan what is due, if that is for this node to do; the seconds until it has to be called again."""
        self._busy_since = self._clock.monotonic()
        try:
            await self._plan()
        except StoreBusy as error:
            self._hooks.store_busy("planning", error)
            return SHORTEST_SLEEP
        except StoreUnavailable:
            self._answered_since = None
            self._dependencies.database.failed()
            self._leading.wake()
            return self._dependencies.database.pause
        finally:
            self._busy_since = None
        return max(0.0, self._next_pass - self._clock.monotonic())

    @property
    def _plans(self) -> bool:
        """It leads, or nobody can know who does."""
        return self._leadership.leads or self._leadership.lock_away

    @property
    def _cleans_up(self) -> bool:
        """It leads, or the lock is away, as it may be for hours; several nodes that bury or prune at once do no harm.

        A lock that has said nothing for a moment is not enough: there is no hurry as there is with plans.
        """
        return self._leadership.leads or not self._dependencies.lock.available

    def _unfit_to_lead(self) -> str | None:
        if not self._dependencies.database.available:
            return "the database is away"
        longest = self._options.lease.ttl.total_seconds()
        if self._busy_since is not None and self._clock.monotonic() - self._busy_since > longest:
            return "its planning hangs"
        return None

    async def _plan(self) -> None:
        if not self._dependencies.database.available:
            await self._store.ping()
            self._dependencies.database.answered()
            self._leading.wake()
        now = self._clock.now()
        if self._plans:
            if await self._outlook.is_due(now):
                await self._plan_due(now)
                await self._outlook.look_ahead(now)
            else:
                self._announced_ends.clear()
            self._sleep_until(self._outlook.due_at, now)
        else:
            self._foresight.forget()
            await self._plan_overdue(now)
            self._next_pass = self._next_look()
        if self._answered_since is None:
            self._answered_since = self._clock.monotonic()
        self._dependencies.database.answered()

    async def _plan_due(self, now: datetime) -> None:
        self._offer(await self._outlook.newly_available(now))
        foreseen = self._foresight.take(now)
        last: DueJob | None = None
        first, self._first_batch = self._first_batch, min(FIRST_BATCH, self._options.batch)
        for step, size in enumerate(_batch_sizes(first, self._options.batch)):
            if not self._goes_on():
                return
            if foreseen:
                batch, foreseen = foreseen[:size], foreseen[size:]
                if not await self._apply_or_leave(batch, now) and not await self._are_due(batch, now):
                    foreseen = []  # others have planned them
                more = bool(foreseen)
            else:
                due = await self._store.due_jobs(now, size, after=last)
                await self._apply_or_leave(plan_jobs(due, now), now)
                more = len(due) == size
                if not more:
                    return
                last = due[-1]
            if step == 0 and more:
                await self._clock.sleep(HEAD_START)

    def _goes_on(self) -> bool:
        """Whether one more batch is for this node to plan; it is then not hanging either."""
        self._busy_since = self._clock.monotonic()
        return self._plans and not self._stopping

    async def _plan_overdue(self, now: datetime) -> None:
        overdue = now - self._options.overdue_after
        due = await self._store.due_jobs(overdue, self._options.batch)
        planned = {plan.job_id for plan in await self._apply(plan_jobs(due, now), now)}
        neglected = sum(job.due_since <= overdue for job in due if job.id in planned - self._held_up)
        self._held_up = {job.id for job in due} - planned
        if neglected and self._answered_for(self._options.overdue_after):
            self._hooks.overdue_found(self._options.overdue_after, neglected)

    def _answered_for(self, duration: timedelta) -> bool:
        """Whether the database was there for so long by now: a leader is not to blame for an outage."""
        since = self._answered_since
        return since is not None and self._clock.monotonic() - since >= duration.total_seconds()

    async def _are_due(self, plans: Sequence[JobPlan], now: datetime) -> bool:
        """Whether jobs of these plans are due still: the store skips those that another transaction holds."""
        planned = {plan.job_id for plan in plans}
        return any(job.id in planned for job in await self._store.due_jobs(now, len(plans)))

    async def _apply_or_leave(self, plans: Sequence[JobPlan], now: datetime) -> Sequence[JobPlan]:
        """As `_apply`. Plans that met a lock are left to the next pass, which begins with half as many at once."""
        try:
            return await self._apply(plans, now)
        except StoreBusy as error:
            self._first_batch = max(1, len(plans) // 2)
            self._hooks.store_busy("planning", error)
            return []

    async def _apply(self, plans: Sequence[JobPlan], now: datetime) -> Sequence[JobPlan]:
        """Those whose execution was queued."""
        if not plans:
            return []
        queued = set(await self._store.plan(plans, now))
        applied = [plan for plan in plans if plan.execution and plan.execution.id in queued]
        for plan in applied:
            self._hooks.execution_planned(plan, now)
        self._announce_ends([plan for plan in plans if plan.inactive_reason], now)
        self._offer([QueueMessage.of(plan.execution) for plan in applied if plan.execution])
        return applied

    def _announce_ends(self, plans: Sequence[JobPlan], now: datetime) -> None:
        """Once each, although a job that another transaction holds stays due, and is planned pass after pass."""
        for plan in plans:
            if plan.job_id not in self._announced_ends:
                self._hooks.job_unplannable(plan, now)
        self._announced_ends.update(plan.job_id for plan in plans)

    def _offer(self, messages: Sequence[QueueMessage]) -> None:
        if messages:
            self._feed.put(messages)
            self._pushing.wake()

    def _sleep_until(self, due_at: datetime | None, now: datetime) -> None:
        self._next_pass = self._next_look()
        if due_at is not None:
            ahead = (due_at - self._clock.now()).total_seconds()
            shortest = SHORTEST_SLEEP if due_at <= now else 0.0
            self._next_pass = min(self._next_pass, self._clock.monotonic() + max(shortest, ahead))
            self._foresight.expect(due_at)

    def _next_look(self) -> float:
        now = self._clock.monotonic()
        return now + until_round(now, LONGEST_SLEEP)

    def _look_again(self) -> None:
        """What was slept for may not be the earliest any more, or not be for another node to plan."""
        self._next_pass = 0.0
        self._planning.wake()

    def _instants_moved(self) -> None:
        self._foresight.forget()
        self._look_again()

    async def _listen(self) -> float:
        """Wait for something that is due sooner than this node thinks, and cut its sleep short."""
        try:
            if not self._dependencies.queue.available:
                await self._queue.depth()
                self._dependencies.queue.answered()
            due_at = await self._queue.wait(LISTEN_FOR)
        except QueueUnavailable:
            self._dependencies.queue.failed()
            return self._dependencies.queue.pause
        if due_at is not None:
            ahead = max(0.0, (due_at - self._clock.now()).total_seconds())
            self._next_pass = min(self._next_pass, self._clock.monotonic() + ahead)
            self._planning.wake()
        return 0.0


def _batch_sizes(first: int, greatest: int) -> Iterator[int]:
    size = first
    while True:
        yield size
        size = min(2 * size, greatest)

"""How a worker comes to its claims: messages from the queue, and the floor under it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.background import BackgroundLoop, until_round
from cronhook_core.engine.claim_size import AT_ONCE, ClaimSize
from cronhook_core.engine.fairness import Slots
from cronhook_core.engine.sends import Sends
from cronhook_core.engine.waiting import Waiting
from cronhook_core.engine.worker_life import WorkerLife
from cronhook_core.errors import QueueUnavailable, StoreUnavailable, Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.queue import Queue

FLOOR_EVERY = 1.0
"""Seconds between two looks into the store for what no message told of."""
FLOOR_WITHOUT_QUEUE_EVERY = 0.5
"""The same while the queue is away: then nothing else tells of work."""
FLOOR_AGAIN_AFTER = 0.05
"""The same at least, where a look passed over hosts or workspaces that had their share of the slots."""
FLOOR_SHARE = 0.1
"""Of the time, at most, goes to these looks: one that took long is repeated less often, and waits for no claim."""
FLOOR_SHARE_WITHOUT_QUEUE = 0.5
CROWDED = 100
"""Messages of one host that wait here: where there are as many, what else the host has can wait in the store."""
BEYOND_AT_ONCE = 100
"""Executions of other hosts that a look finds behind a backlog, at most."""
POP_FOR = timedelta(seconds=2)
"""For so long, and what a call may take, a queue that hangs is not known to be away."""
WAITING_BOUND = 20_000
"""Messages that wait in a worker for a slot, at most: some 10 MB."""
POP_WHEN_FULL_EVERY = 0.2
"""Seconds between two pops while there is no room for what they bring. What is dropped for it is that of the workspace
with the largest backlog; the queue may hold messages of others behind that backlog."""
GATHER_FOR = 0.005
"""Seconds for which freed slots are gathered under load, so that claims are made in groups."""
UNTIL_TRUSTED = 0.1
UNTIL_WRITTEN = 0.02
"""Seconds until it is looked again whether results have been written."""
UNTIL_ROOM = 1.0


class Intake:
    """Takes messages while slots are free, and claims what fairness admits; nothing is claimed to be given back.

    Nothing is taken while more results wait to be written (``results_waiting``) than there are slots.
    """

    def __init__(
        self,
        store: JobStore,
        queue: Queue,
        sends: Sends,
        life: WorkerLife,
        *,
        clock: Clock,
        hooks: EngineHooks,
        dependencies: Dependencies,
        concurrency: int,
        results_waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        self._store = store
        self._queue = queue
        self._sends = sends
        self._life = life
        self._clock = clock
        self._dependencies = dependencies
        self._slots = Slots(concurrency)
        self._concurrency = concurrency
        self._results_waiting = results_waiting
        self._waiting = Waiting(WAITING_BOUND)
        self._size = ClaimSize()
        self._slot_of: dict[str, tuple[str, str]] = {}
        self._next_floor = 0.0
        self._floor_allowed_at = 0.0
        self._beyond_allowed_at = 0.0
        self._pop_when_full_at = 0.0
        self._narrowed = False
        self._asked_to_look = False
        self._gathering = False
        self.claiming = asyncio.Lock()
        self._popping = BackgroundLoop("messages", self._pop, clock=clock, hooks=hooks)
        self._claims = BackgroundLoop("claims", self.run_once, clock=clock, hooks=hooks)

    def start(self) -> None:
        self._popping.start()
        self._claims.start()

    async def stop(self) -> None:
        """Take nothing more; a claim under way is waited for, so that its answer is not lost."""
        await self._popping.abort()
        await self._claims.stop()

    async def abort(self) -> None:
        """Wait for no claim: what it took, the reaper finds."""
        await self._claims.abort()

    def ended(self, claim: Claim) -> None:
        """A send ended: its slot is free again."""
        host, workspace_id = self._slot_of.pop(claim.execution_id)
        self._slots.give_back(host, workspace_id)
        self._popping.wake()
        no_other_was_free = self._slots.free == 1
        if self._waiting or no_other_was_free or self._look_when_allowed():
            self._claims.wake()

    def let_go(self, claim: Claim) -> None:
        """A claim is not held any more: its payload takes no memory."""
        was_short = self._slots.is_short_of_memory
        self._slots.let_go(claim.host, claim.workspace_id, len(claim.payload))
        if was_short:
            self._popping.wake()
            self._look_when_allowed()
            self._claims.wake()

    def look_again(self) -> None:
        """Something may be claimed from now on that was not asked for: look into the store at once."""
        self._asked_to_look = True
        self._claims.wake()

    async def run_once(self) -> float:
        """Claim what may be claimed; the seconds until the next look into the store."""
        if held_back := self._held_back():
            return held_back
        if not self._slots.free:
            return UNTIL_ROOM
        if self._gathering and self._slots.free < AT_ONCE:
            await self._clock.sleep(GATHER_FOR)
        limit = self._size.executions
        try:
            await self._look_into_store()
            admitted = self._waiting.admit(self._slots, limit)
            self._gathering = len(admitted) > 1
            claimed = await self._claim(admitted) if admitted else 0
        except StoreUnavailable:
            self._dependencies.database.failed()
            return self._dependencies.database.pause
        self._dependencies.database.answered()
        left_some = claimed < len(admitted) and len(self._waiting) > 0
        if len(admitted) == limit or left_some:
            return 0.0
        return max(0.0, self._next_floor - self._clock.monotonic())

    async def _look_into_store(self) -> None:
        """A look that passes over hosts or workspaces says nothing of what else these have.

        So the next one is made when a send has ended, and not only at its time.
        """
        if self._clock.monotonic() < self._next_floor and not self._asked_to_look:
            return
        self._asked_to_look = False
        skip_hosts, skip_workspaces = self._slots.full_hosts(), self._slots.full_workspaces()
        limit, began, more = min(self._slots.free, AT_ONCE), self._clock.monotonic(), False
        try:
            ready, more = await self._look(limit, skip_hosts, skip_workspaces)
            if len(ready) == limit and self._clock.monotonic() >= self._beyond_allowed_at:
                more |= await self._look_beyond([*skip_hosts, *(message.host for message in ready)], skip_workspaces)
        finally:
            ended = self._clock.monotonic()
            self._narrowed = bool(skip_hosts or skip_workspaces)
            every, share = self._floor_rate()
            self._floor_allowed_at = ended + max(FLOOR_AGAIN_AFTER, (ended - began) / share)
            next_look = ended + until_round(ended, every)
            self._next_floor = ended if more else max(next_look, self._floor_allowed_at)

    async def _look_beyond(self, hosts: Sequence[str], skip_workspaces: Sequence[str]) -> bool:
        """Look for executions of other hosts than these, behind their backlog, which may fill one look after another.

        Returns as `_look` whether there is more.
        """
        began = self._clock.monotonic()
        skip_hosts = list(dict.fromkeys([*hosts, *self._waiting.hosts_with(CROWDED)]))
        try:
            _, more = await self._look(BEYOND_AT_ONCE, skip_hosts, skip_workspaces)
        finally:
            ended = self._clock.monotonic()
            _, share = self._floor_rate()
            self._beyond_allowed_at = ended + max(FLOOR_WITHOUT_QUEUE_EVERY, (ended - began) / share)
        return more

    async def _look(
        self, limit: int, skip_hosts: Sequence[str], skip_workspaces: Sequence[str]
    ) -> tuple[Sequence[QueueMessage], bool]:
        """What the store has ready, which waits from now on, and whether there is more that did not wait before."""
        ready = await self._store.ready(
            self._clock.now(),
            limit,
            skip_hosts=skip_hosts,
            skip_workspaces=skip_workspaces,
            with_suspects=not self._sends.holds_suspect,
        )
        return ready, self._waiting.add(ready) > 0 and len(ready) == limit

    def _look_when_allowed(self) -> bool:
        """Move the next look forward after one that passed over somebody who may have a slot now; whether it did."""
        if not self._narrowed or self._next_floor <= self._floor_allowed_at:
            return False
        self._next_floor = self._floor_allowed_at
        return True

    def _floor_rate(self) -> tuple[float, float]:
        """Also after a look that failed: what messages told of is claimed meanwhile."""
        if self._dependencies.queue.available:
            return FLOOR_EVERY, FLOOR_SHARE
        return FLOOR_WITHOUT_QUEUE_EVERY, FLOOR_SHARE_WITHOUT_QUEUE

    async def _claim(self, messages: Sequence[QueueMessage]) -> int:
        """How many of them; the others have left their slots."""
        worker_id = self._life.worker_id
        claims: Sequence[Claim] = ()
        try:
            if worker_id is not None:
                claims = await self._claim_for(worker_id, [message.execution_id for message in messages])
        finally:
            self._use_slots(messages, claims)
        return len(claims)

    async def _claim_for(self, worker_id: str, execution_ids: Sequence[str]) -> Sequence[Claim]:
        began = self._clock.monotonic()
        try:
            async with self.claiming:
                claims = await self._store.claim(
                    execution_ids,
                    worker_id=worker_id,
                    now=self._clock.now(),
                    with_suspect=not self._sends.holds_suspect,
                    max_bytes=min(self._size.bytes, self._slots.free_bytes // 2),
                )
        except Unavailable:
            self._size.failed()
            raise
        self._size.answered(claims, self._clock.monotonic() - began)
        return claims

    def _use_slots(self, messages: Sequence[QueueMessage], claims: Sequence[Claim]) -> None:
        """Start what was claimed, and let wait again what the store may have left because of the bound on bytes.

        That is behind the last execution that was claimed. The others are gone.
        """
        open_claims = {claim.execution_id: claim for claim in claims}
        left_behind = []
        for message in messages:
            claim = open_claims.pop(message.execution_id, None)
            if claim is not None:
                self._slot_of[claim.execution_id] = (message.host, message.workspace_id)
                self._slots.hold(claim.host, claim.workspace_id, len(claim.payload))
                self._sends.start(claim)
                continue
            self._slots.give_back(message.host, message.workspace_id)
            if claims and not open_claims:
                left_behind.append(message)
        if left_behind:
            self._waiting.put_back(left_behind)
            self._popping.wake()

    def _held_back(self) -> float:
        """Seconds for which nothing may be taken; 0 where it may."""
        if not self._life.trusted:
            return UNTIL_TRUSTED
        return UNTIL_WRITTEN if self._results_waiting() > self._concurrency else 0.0

    async def _pop(self) -> float:
        if held_back := self._held_back():
            return held_back
        if not self._slots.free:
            return UNTIL_ROOM
        if self._waiting.room < AT_ONCE and (left := self._pop_when_full_at - self._clock.monotonic()) > 0:
            return left
        if self._gathering and self._slots.free < AT_ONCE:
            await self._clock.sleep(GATHER_FOR)
        try:
            messages = await self._queue.pop(max(1, min(self._slots.free, AT_ONCE)), POP_FOR, self._clock.now())
        except QueueUnavailable:
            self._dependencies.queue.failed()
            return self._dependencies.queue.pause
        self._dependencies.queue.answered()
        self._waiting.add(messages)
        if self._waiting.room < AT_ONCE:
            self._pop_when_full_at = self._clock.monotonic() + POP_WHEN_FULL_EVERY
        if messages:
            self._claims.wake()
        return 0.0

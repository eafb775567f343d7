"""The sends that a worker has under way: one task each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from attrs import frozen

from cronhook_core.domain.claim import AttemptReport, Claim, ClaimRef
from cronhook_core.domain.execution import SUSPECT_LOSSES
from cronhook_core.engine.delivery import Delivery
from cronhook_core.errors import Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks

CLEAN_UP_WITHIN = 2.0
"""Seconds that sends have to clean up when they are cut off; one that goes on is left behind."""


@frozen(kw_only=True)
class CutOff:
    """What was under way when the drain time ended: requests that had not left, and those that may have."""

    unsent: Sequence[ClaimRef]
    sent: Sequence[ClaimRef]


class Sends:
    """Runs claims, and knows which ones this worker holds: claimed, and not yet settled in the store.

    ``may_start`` is asked right before a request leaves. A claim that may not start, or whose signing secrets cannot be
    read, is forgotten here: the next beat finds that the store still counts it as this worker's, and gives it back.
    ``reported`` gets each result; ``ended`` is called for each send that ended, however it did; ``let_go`` for each
    claim that is no longer held, before or after that.
    """

    def __init__(
        self,
        delivery: Delivery,
        *,
        clock: Clock,
        hooks: EngineHooks,
        may_start: Callable[[], bool],
        reported: Callable[[Claim, AttemptReport], None],
        ended: Callable[[Claim], None],
        let_go: Callable[[Claim], None],
    ) -> None:
        self._delivery = delivery
        self._clock = clock
        self._hooks = hooks
        self._may_start = may_start
        self._reported = reported
        self._ended = ended
        self._let_go = let_go
        self._held: dict[ClaimRef, Claim] = {}
        self._unsent: set[ClaimRef] = set()
        self._tasks: dict[ClaimRef, asyncio.Task[None]] = {}
        self._cutting_off = False

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    @property
    def held(self) -> frozenset[ClaimRef]:
        return frozenset(self._held)

    @property
    def holds_suspect(self) -> bool:
        """Whether one of the claims was lost so often that no other such may run beside it."""
        return any(claim.losses >= SUSPECT_LOSSES for claim in self._held.values())

    def start(self, claim: Claim) -> None:
        ref = claim.ref
        self._held[ref] = claim
        self._unsent.add(ref)
        task = asyncio.create_task(self._send(ref, claim))
        self._tasks[ref] = task
        task.add_done_callback(lambda ended: self._end(ref, claim, ended))

    def settle(self, claim: Claim) -> None:
        """The store has dealt with the claim."""
        self._forget(claim.ref)

    async def drain(self, timeout: float, hurry: asyncio.Event) -> CutOff:
        """Let sends end within ``timeout`` seconds, or until ``hurry``; cut the rest off."""
        deadline = asyncio.ensure_future(self._clock.sleep(timeout))
        hurried = asyncio.ensure_future(hurry.wait())
        while self._tasks and not deadline.done() and not hurried.done():
            await asyncio.wait([*self._tasks.values(), deadline, hurried], return_when=asyncio.FIRST_COMPLETED)
        deadline.cancel()
        hurried.cancel()
        return await self._cut_off()

    async def _cut_off(self) -> CutOff:
        self._cutting_off = True
        unsent = [ref for ref in self._tasks if ref in self._unsent]
        sent = [ref for ref in self._tasks if ref not in self._unsent]
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLEAN_UP_WITHIN)
        return CutOff(unsent=unsent, sent=[ref for ref in sent if ref in self._held])

    async def _send(self, ref: ClaimRef, claim: Claim) -> None:
        secrets = await self._secrets(claim)
        if secrets is None or not self._may_start():
            self._forget(ref)
            return
        self._unsent.discard(ref)
        self._hooks.attempt_started(claim, self._clock.now())
        self._reported(claim, await self._delivery.attempt(claim, secrets, cut_off=lambda: self._cutting_off))

    async def _secrets(self, claim: Claim) -> Sequence[bytes] | None:
        try:
            return await self._delivery.secrets(claim)
        except Unavailable:
            return None
        except Exception as error:  # noqa: BLE001 - no claim may be held for ever, whatever happens to its task
            self._hooks.pass_failed("signing secrets", error)
            return None

    def _forget(self, ref: ClaimRef) -> None:
        claim = self._held.pop(ref, None)
        if claim is not None:
            self._let_go(claim)

    def _end(self, ref: ClaimRef, claim: Claim, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None:  # of a hook, which must not raise
            self._forget(ref)
            context = {"message": "a send ended without a report", "exception": failure, "task": task}
            task.get_loop().call_exception_handler(context)
        self._leave(ref, claim)

    def _leave(self, ref: ClaimRef, claim: Claim) -> None:
        del self._tasks[ref]
        self._unsent.discard(ref)
        self._ended(claim)

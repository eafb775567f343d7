"""Writes the results of attempts in groups: at once when idle, many at a time under load."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from attrs import evolve, frozen

from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.retry_policy import GiveUp, Succeed
from cronhook_core.domain.webhook import WebhookResult
from cronhook_core.engine.availability import Dependency
from cronhook_core.engine.background import BackgroundLoop
from cronhook_core.errors import StoreBusy, StoreUnavailable, Unavailable
from cronhook_core.ports.claim_store import ClaimStore
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks

GROUP = 300
"""Results in one write, at most."""
GATHER_FOR = 0.01
"""Seconds for which results are gathered when the last write was of several."""
AGAIN_AFTER = 0.1
"""Seconds until a result is tried again that could not be written because another transaction was in its way."""
UNTIL_WOKEN = 3600.0


class ResultWriter:
    """Keeps results until the store has them, however long it is away; the fence decides whether they count then.

    Results are written in four lanes, none of which waits for another: successes, failures, failures that end the whole
    job (410), and results that could not be written together with others, which are written one by one. A result whose
    job is locked goes behind the rest of its lane, and is tried again after `AGAIN_AFTER`.

    ``on_written`` is called with each claim whose result the store has dealt with, accepted or not.
    """

    def __init__(
        self,
        store: ClaimStore,
        *,
        clock: Clock,
        hooks: EngineHooks,
        database: Dependency,
        on_written: Callable[[Claim], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._hooks = hooks
        self._database = database
        self._on_written = on_written
        self._empty = asyncio.Event()
        self._empty.set()
        self._successes, self._failures, self._ends_of_jobs = _Lane(GROUP), _Lane(GROUP), _Lane(GROUP)
        self._one_by_one = _Lane(1)
        self._loops = {
            lane: BackgroundLoop("results", partial(self._write_from, lane), clock=clock, hooks=hooks)
            for lane in (self._successes, self._failures, self._ends_of_jobs, self._one_by_one)
        }

    def start(self) -> None:
        for loop in self._loops.values():
            loop.start()

    async def stop(self) -> None:
        """End without waiting for what could not be written; call `written` first."""
        await asyncio.gather(*(loop.abort() for loop in self._loops.values()))

    async def written(self) -> None:
        """Return when every result is written."""
        await self._empty.wait()

    @property
    def waiting(self) -> int:
        """How many results are not written yet."""
        return sum(lane.waiting for lane in self._loops)

    def put(self, claim: Claim, report: AttemptReport) -> None:
        self._empty.clear()
        match report.decision:
            case Succeed():
                lane = self._successes
            case GiveUp(gone=True):
                lane = self._ends_of_jobs
            case _:
                lane = self._failures
        self._put(lane, [_Result(claim, report)])

    def _put(self, lane: _Lane, results: Sequence[_Result]) -> None:
        lane.ready.extend(results)
        if not lane.gathering or len(lane.ready) >= GROUP:
            self._loops[lane].wake()

    def _put_off(self, lane: _Lane, results: Sequence[_Result]) -> None:
        lane.put_off.extend((self._clock.monotonic() + AGAIN_AFTER, result) for result in results)
        self._loops[lane].wake()

    async def _write_from(self, lane: _Lane) -> float:
        """Write one group of the lane; the seconds until the next one."""
        group = lane.next_group(self._clock.monotonic())
        if not group:
            return lane.pause(self._clock.monotonic())
        verdicts: Sequence[Verdict] | None
        try:
            verdicts = await self._finish([result.report for result in group])
            self._database.answered()
        except StoreBusy:
            verdicts = None
        except StoreUnavailable:
            self._database.failed()
            return self._database.pause
        del lane.ready[: len(group)]
        if verdicts is not None:
            self._settle(lane, group, verdicts)
        elif len(group) == 1:
            self._put_off(self._one_by_one, group)
        else:
            self._put(self._one_by_one, group)
        if not self.waiting:
            self._empty.set()
        return lane.pause(self._clock.monotonic())

    async def _finish(self, reports: Sequence[AttemptReport]) -> Sequence[Verdict] | None:
        """None: they cannot be written together. One that cannot be stored is written without the receiver's answer."""
        try:
            return await self._store.finish(reports, self._clock.now())
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one bad answer must not hold up all the others
            self._hooks.pass_failed("results", error)
        if len(reports) > 1:
            return None
        return await self._store.finish([_without_answer(reports[0])], self._clock.now())

    def _settle(self, lane: _Lane, group: Sequence[_Result], verdicts: Sequence[Verdict]) -> None:
        results = list(zip(group, verdicts, strict=True))
        locked = [result for result, verdict in results if verdict.locked]
        if locked:
            self._put_off(lane, locked)
        for result, verdict in results:
            if not verdict.locked:
                self._on_written(result.claim)
                self._hooks.attempt_finished(result.claim, result.report, verdict)


@frozen
class _Result:
    claim: Claim
    report: AttemptReport


class _Lane:
    """Results of one kind: those that are ``ready``, and those that are ``put_off`` until a moment, the first first."""

    def __init__(self, at_most: int) -> None:
        self.ready: list[_Result] = []
        self.put_off: deque[tuple[float, _Result]] = deque()
        self.gathering = False
        self._at_most = at_most

    @property
    def waiting(self) -> int:
        return len(self.ready) + len(self.put_off)

    def next_group(self, now: float) -> Sequence[_Result]:
        """What to write next, from the beginning of ``ready``; it stays there until it is written."""
        while self.put_off and self.put_off[0][0] <= now:
            self.ready.append(self.put_off.popleft()[1])
        group = self.ready[: self._at_most]
        self.gathering = len(group) > 1
        return group

    def pause(self, now: float) -> float:
        """Seconds until there is something to write."""
        if len(self.ready) >= self._at_most:
            return 0.0
        if self.ready or self.gathering:
            return GATHER_FOR
        return max(0.0, self.put_off[0][0] - now) if self.put_off else UNTIL_WOKEN


def _without_answer(report: AttemptReport) -> AttemptReport:
    result = WebhookResult(
        outcome=report.result.outcome,
        error="The receiver's answer could not be stored.",
        response_status=report.result.response_status,
    )
    return evolve(report, result=result)

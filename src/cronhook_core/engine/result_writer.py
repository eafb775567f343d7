"""Writes the results of attempts in groups: at once when idle, many at a time under load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from attrs import evolve

from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.retry_policy import Succeed
from cronhook_core.domain.webhook import WebhookResult
from cronhook_core.engine.availability import Dependency
from cronhook_core.engine.background import BackgroundLoop
from cronhook_core.errors import StoreUnavailable, Unavailable
from cronhook_core.ports.claim_store import ClaimStore
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks

GROUP = 300
"""Results in one write, at most."""
GATHER_FOR = 0.01
"""Seconds for which results are gathered when the last write was of several."""
UNTIL_WOKEN = 3600.0


class ResultWriter:
    """Keeps results until the store has them, however long it is away; the fence decides whether they count then.

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
        self._pending: list[tuple[Claim, AttemptReport]] = []
        self._writing = 0
        self._gathering = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._loop = BackgroundLoop("results", self.run_once, clock=clock, hooks=hooks)

    def start(self) -> None:
        self._loop.start()

    async def stop(self) -> None:
        """End without waiting for what could not be written; call `written` first."""
        await self._loop.abort()

    async def written(self) -> None:
        """Return when every result is written."""
        await self._empty.wait()

    def put(self, claim: Claim, report: AttemptReport) -> None:
        self._pending.append((claim, report))
        self._empty.clear()
        if not self._gathering or len(self._pending) >= GROUP:
            self._loop.wake()

    async def run_once(self) -> float:
        """Write one group; the seconds until the next one."""
        group = self._pending[:GROUP]
        self._gathering = len(group) > 1
        if not group:
            return UNTIL_WOKEN
        try:
            await self._write(group)
        except StoreUnavailable:
            self._database.failed()
            return self._database.pause
        self._database.answered()
        if len(self._pending) >= GROUP:
            return 0.0
        return GATHER_FOR if self._gathering or self._pending else UNTIL_WOKEN

    async def _finish(self, reports: Sequence[AttemptReport]) -> Sequence[Verdict]:
        """Write reports; where one of them cannot be stored, what the receiver said is left out of it."""
        try:
            return await self._store.finish(reports, self._clock.now())
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one bad answer must not hold up all the others
            self._hooks.pass_failed("results", error)
            if len(reports) == 1:
                return await self._store.finish([_without_answer(reports[0])], self._clock.now())
            return [verdict for report in reports for verdict in await self._finish([report])]

    async def _write(self, group: list[tuple[Claim, AttemptReport]]) -> None:
        """Successes by themselves: failures may have to wait for their jobs, or fail to be written."""
        successes = [one for one in group if isinstance(one[1].decision, Succeed)]
        failures = [one for one in group if not isinstance(one[1].decision, Succeed)]
        for alike, left in ((successes, failures), (failures, [])):
            if alike:
                verdicts = await self._finish([report for _, report in alike])
                self._pending[: len(alike) + len(left)] = left
                for (claim, report), verdict in zip(alike, verdicts, strict=True):
                    self._on_written(claim)
                    self._hooks.attempt_finished(claim, report, verdict)
        if not self._pending:
            self._empty.set()


def _without_answer(report: AttemptReport) -> AttemptReport:
    result = WebhookResult(
        outcome=report.result.outcome,
        error="The receiver's answer could not be stored.",
        response_status=report.result.response_status,
    )
    return evolve(report, result=result)

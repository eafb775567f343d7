from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.planning import JobPlan
from cronhook_core.errors import StoreBusy


class RecordingHooks:
    """`EngineHooks` that keep what they are told: ``events`` are tuples of the hook's name and its arguments."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self._changed = asyncio.Event()

    def named(self, name: str) -> list[tuple[object, ...]]:
        """The arguments of every call of one hook so far."""
        return [event[1:] for event in self.events if event[0] == name]

    async def wait_for(self, name: str, count: int = 1, *, within: float = 10.0) -> list[tuple[object, ...]]:
        """The arguments of every call of one hook, once there are ``count``; at most ``within`` real seconds."""
        try:
            async with asyncio.timeout(within):
                while len(self.named(name)) < count:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {count} of {name} within {within} s, but {self.events}") from None
        return self.named(name)

    def execution_planned(self, plan: JobPlan, now: datetime) -> None:
        self._record("execution_planned", plan, now)

    def job_unplannable(self, plan: JobPlan, now: datetime) -> None:
        self._record("job_unplannable", plan, now)

    def attempt_started(self, claim: Claim, now: datetime) -> None:
        self._record("attempt_started", claim, now)

    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None:
        self._record("attempt_finished", claim, report, verdict)

    def executions_lost(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        self._record("executions_lost", tuple(verdicts), now)

    def executions_interrupted(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        self._record("executions_interrupted", tuple(verdicts), now)

    def executions_released(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        self._record("executions_released", tuple(verdicts), now)

    def worker_registered(self, worker_id: str, now: datetime) -> None:
        self._record("worker_registered", worker_id, now)

    def worker_buried(self, worker_id: str, now: datetime) -> None:
        self._record("worker_buried", worker_id, now)

    def leadership_changed(self, leads: bool, reason: str) -> None:
        self._record("leadership_changed", leads, reason)

    def overdue_found(self, overdue: timedelta, jobs: int) -> None:
        self._record("overdue_found", overdue, jobs)

    def zone_rules_changed(self, before: str | None, after: str, moved: int) -> None:
        self._record("zone_rules_changed", before, after, moved)

    def jobs_replanned(self, jobs: int) -> None:
        self._record("jobs_replanned", jobs)

    def clock_doubted(self, ahead: timedelta) -> None:
        self._record("clock_doubted", ahead)

    def dependency_changed(self, name: str, available: bool) -> None:
        self._record("dependency_changed", name, available)

    def store_busy(self, loop: str, error: StoreBusy) -> None:
        self._record("store_busy", loop, error)

    def pass_failed(self, loop: str, error: BaseException) -> None:
        self._record("pass_failed", loop, error)

    def _record(self, *event: object) -> None:
        self.events.append(event)
        self._changed.set()

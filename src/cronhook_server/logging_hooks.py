"""What the engine announces, as lines of the log. Event names are stable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from structlog.typing import FilteringBoundLogger

from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.planning import JobPlan
from cronhook_core.domain.webhook import Outcome
from cronhook_core.errors import StoreBusy
from cronhook_core.ports.engine_hooks import NoHooks

_MILLISECOND = timedelta(milliseconds=1)


class LoggingHooks(NoHooks):
    """One line per attempt, and one for everything that an operator should know of.

    Make it when logging is configured: what is configured later does not change it. ``carrier`` is what carries the
    queue and the lock: it goes away with the first of its parts and is back with the last, and is told of by its name.
    """

    def __init__(self, *, carrier: str | None = None) -> None:
        self._carriers = {} if carrier is None else {"queue": carrier, "lock": carrier}
        self._away: defaultdict[str, set[str]] = defaultdict(set)
        self._log: FilteringBoundLogger = structlog.get_logger("cronhook.engine").bind()

    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None:
        """``lateness_ms`` (of first attempts) is from the scheduled instant to the start of the request."""
        fields: dict[str, object] = {
            "job_id": claim.job_id,
            "execution_id": claim.execution_id,
            "attempt": claim.attempt_no,
            "outcome": report.result.outcome.value,
            "status": report.result.response_status,
            "duration_ms": _milliseconds(report.duration),
        }
        if claim.attempt_no == 1:
            fields["lateness_ms"] = _milliseconds(report.finished_at - report.duration - claim.scheduled_for)
        if report.result.error is not None:
            fields["error"] = report.result.error
        if verdict.next_attempt_at is not None:
            fields["next_attempt_at"] = verdict.next_attempt_at.isoformat()
        elif verdict.status is not None:
            fields["execution"] = verdict.status.value
        if not verdict.accepted:
            fields["late"] = True
        self._writer(report, verdict)("attempt", **fields)

    def _writer(self, report: AttemptReport, verdict: Verdict) -> Callable[..., None]:
        if verdict.status is ExecutionStatus.FAILED:
            return self._log.error
        return self._log.info if report.result.outcome is Outcome.SUCCEEDED else self._log.warning

    def job_unplannable(self, plan: JobPlan, now: datetime) -> None:
        self._log.warning("job_inactive", job_id=plan.job_id, reason=str(plan.inactive_reason))

    def executions_lost(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        for fields in _taken_back(verdicts):
            self._log.warning("execution_lost", **fields)

    def executions_interrupted(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        for fields in _taken_back(verdicts):
            self._log.warning("execution_interrupted", **fields)

    def worker_registered(self, worker_id: str, now: datetime) -> None:
        self._log.info("worker_registered", worker_id=worker_id)

    def worker_buried(self, worker_id: str, now: datetime) -> None:
        self._log.warning("worker_buried", worker_id=worker_id)

    def leadership_changed(self, leads: bool, reason: str) -> None:
        self._log.info("leadership", leads=leads, reason=reason)

    def overdue_found(self, overdue: timedelta, jobs: int) -> None:
        self._log.error("leader_stuck", overdue_seconds=overdue.total_seconds(), jobs=jobs)

    def zone_rules_changed(self, before: str | None, after: str, moved: int) -> None:
        self._log.info("zone_rules", before=before, after=after, jobs_moved=moved)

    def jobs_replanned(self, jobs: int) -> None:
        self._log.warning("jobs_replanned", jobs=jobs)

    def clock_doubted(self, ahead: timedelta) -> None:
        self._log.warning("clock_doubted", ahead_seconds=ahead.total_seconds())

    def dependency_changed(self, name: str, available: bool) -> None:
        told = self._carriers.get(name, name)
        parts = self._away[told]
        was_away = bool(parts)
        (parts.discard if available else parts.add)(name)
        if was_away and not parts:
            self._log.info("dependency_back", name=told)
        elif parts and not was_away:
            self._log.warning("dependency_away", name=told)

    def store_busy(self, loop: str, error: StoreBusy) -> None:
        self._log.warning("database_busy", loop=loop, reason=str(error))

    def pass_failed(self, loop: str, error: BaseException) -> None:
        self._log.error("pass_failed", loop=loop, exc_info=error)


def _taken_back(verdicts: Sequence[Verdict]) -> Iterator[dict[str, object]]:
    for verdict in verdicts:
        if verdict.accepted:
            yield {
                "execution_id": verdict.execution_id,
                "attempt": verdict.attempt_no,
                "execution": None if verdict.status is None else verdict.status.value,
            }


def _milliseconds(duration: timedelta) -> float:
    return round(duration / _MILLISECOND, 1)

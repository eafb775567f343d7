"""What the engine announces, as metrics of Prometheus. No job, address or workspace is ever a label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from platform import python_version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.planning import JobPlan
from cronhook_core.domain.webhook import Outcome
from cronhook_core.ports.engine_hooks import NoHooks

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds: from 5 ms to 10 min."""
LOOPS = (
    *("planning", "foresight", "leadership", "pushing", "announcements", "reaper", "pruner", "zone rules"),
    "wrong clock",
    *("beat", "messages", "claims", "signing secrets", "results"),
)
"""What the engine calls its passes."""
DEPENDENCIES = ("database", "queue", "lock")


class PrometheusHooks(NoHooks):
    """Counts in ``registry``, which must be new: one process, one registry.

    Every closed set of labels is there from the start, at 0: a rate sees the first failure.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._planning = _Planning(registry)
        self._results = _Results(registry)
        self._trouble = _Trouble(registry)
        about = {"version": version("cronhook"), "python": python_version()}
        Info("cronhook_build", "The version that runs.", registry=registry).info(about)

    def execution_planned(self, plan: JobPlan, now: datetime) -> None:
        self._planning.scheduled.inc()
        if plan.execution is not None and plan.execution.missed_count:
            self._planning.missed.inc(plan.execution.missed_count)

    def job_unplannable(self, plan: JobPlan, now: datetime) -> None:
        self._planning.unplannable.inc()

    def leadership_changed(self, leads: bool, reason: str) -> None:
        self._planning.leader.set(int(leads))
        self._planning.leader_changes.inc()

    def overdue_found(self, overdue: timedelta, jobs: int) -> None:
        self._planning.overdue.inc(jobs)

    def jobs_replanned(self, jobs: int) -> None:
        self._planning.replanned.inc(jobs)

    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None:
        lateness = None
        if claim.attempt_no == 1:
            lateness = report.finished_at - report.duration - claim.scheduled_for
        self._results.attempt_ended(report, lateness)
        if verdict.accepted:
            self._results.execution_has(verdict.status)
        else:
            self._results.late.inc()

    def executions_lost(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        self._count(Outcome.LOST, verdicts)

    def executions_interrupted(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        self._count(Outcome.INTERRUPTED, verdicts)

    def executions_released(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        self._count(Outcome.RELEASED, verdicts)

    def _count(self, outcome: Outcome, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            if verdict.accepted:
                self._results.attempts[outcome].inc()
                self._results.execution_has(verdict.status)

    def worker_buried(self, worker_id: str, now: datetime) -> None:
        self._trouble.buried.inc()

    def dependency_changed(self, name: str, available: bool) -> None:
        if not available:
            self._trouble.outages.labels(name).inc()

    def pass_failed(self, loop: str, error: BaseException) -> None:
        self._trouble.failures.labels(loop).inc()


class _Planning:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.leader = Gauge("cronhook_leader", "1 on the scheduler that leads.", registry=registry)
        self.leader_changes = Counter(
            "cronhook_leader_changes", "How often this scheduler began or ceased to lead.", registry=registry
        )
        self.scheduled = Counter("cronhook_jobs_scheduled", "Executions planned.", registry=registry)
        self.missed = Counter(
            "cronhook_instants_missed",
            "Scheduled instants that passed unplanned and were counted on a later one's execution.",
            registry=registry,
        )
        self.unplannable = Counter(
            "cronhook_jobs_unplannable",
            "Jobs made inactive because nothing can be planned any more.",
            registry=registry,
        )
        self.overdue = Counter(
            "cronhook_overdue_jobs_planned",
            "Jobs that a follower planned for a leader that is stuck.",
            registry=registry,
        )
        self.replanned = Counter(
            "cronhook_jobs_replanned",
            "Cron jobs that a wrong clock had planned days ahead, and that are planned from now on again.",
            registry=registry,
        )


class _Results:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.executed = Counter(
            "cronhook_jobs_executed", "Executions that became final after at least one attempt.", registry=registry
        )
        self.failed = Counter("cronhook_jobs_failed", "Executions that became FAILED.", registry=registry)
        attempts = Counter("cronhook_attempts", "Attempts by what came of them.", ("outcome",), registry=registry)
        self.attempts = {outcome: attempts.labels(outcome.value) for outcome in Outcome}
        ended = Counter(
            "cronhook_executions_ended",
            "Executions that became final after at least one attempt, by status.",
            ("status",),
            registry=registry,
        )
        self.ended = {status: ended.labels(status.value) for status in ExecutionStatus if status.is_final}
        self.late = Counter(
            "cronhook_late_results", "Results that came when the execution had gone on without them.", registry=registry
        )
        self.lateness = Histogram(
            "cronhook_schedule_lateness_seconds",
            "From the scheduled instant to the start of the first request.",
            buckets=BUCKETS,
            registry=registry,
        )
        self.duration = Histogram(
            "cronhook_webhook_duration_seconds", "How long requests took.", buckets=BUCKETS, registry=registry
        )

    def attempt_ended(self, report: AttemptReport, lateness: timedelta | None) -> None:
        self.attempts[report.result.outcome].inc()
        self.duration.observe(report.duration.total_seconds())
        if lateness is not None:
            self.lateness.observe(max(0.0, lateness.total_seconds()))

    def execution_has(self, status: ExecutionStatus | None) -> None:
        ended = None if status is None else self.ended.get(status)
        if ended is None:
            return
        self.executed.inc()
        ended.inc()
        if status is ExecutionStatus.FAILED:
            self.failed.inc()


class _Trouble:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.buried = Counter(
            "cronhook_workers_buried", "Workers that this scheduler declared dead.", registry=registry
        )
        self.outages = Counter(
            "cronhook_dependency_outages",
            "How often the engine found that something it depends on does not answer.",
            ("dependency",),
            registry=registry,
        )
        self.failures = Counter(
            "cronhook_pass_failures",
            "Passes of a background loop that ended in an error that no rule foresaw.",
            ("loop",),
            registry=registry,
        )
        _begin_at_zero(self.outages, DEPENDENCIES)
        _begin_at_zero(self.failures, LOOPS)


def _begin_at_zero(counter: Counter, labels: Iterable[str]) -> None:
    for label in labels:
        counter.labels(label)

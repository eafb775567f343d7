"""What the engine announces, as metrics of Prometheus. No job, address or workspace is ever a label."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import generate_latest

from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.planning import JobPlan
from cronhook_core.domain.webhook import Outcome
from cronhook_core.errors import QueueUnavailable
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_core.ports.queue import Queue

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds: from 5 ms to 10 min."""


class PrometheusHooks(NoHooks):
    """Counts in ``registry``, which must be new: one process, one registry.

    ``with_redis``: queue and lock are Redis', and ``cronhook_redis_up`` tells of it; otherwise there is no such metric.
    """

    def __init__(self, registry: CollectorRegistry, *, with_redis: bool) -> None:
        self._leader = Gauge("cronhook_leader", "1 on the scheduler that leads.", registry=registry)
        self._leader_changes = Counter(
            "cronhook_leader_changes", "How often this scheduler began or ceased to lead.", registry=registry
        )
        self._scheduled = Counter("cronhook_jobs_scheduled", "Executions planned.", registry=registry)
        self._executed = Counter(
            "cronhook_jobs_executed", "Executions that became final after at least one attempt.", registry=registry
        )
        self._failed = Counter("cronhook_jobs_failed", "Executions that became FAILED.", registry=registry)
        self._attempts = Counter("cronhook_attempts", "Attempts by what came of them.", ("outcome",), registry=registry)
        self._ended = Counter(
            "cronhook_executions_ended",
            "Executions that became final after at least one attempt, by status.",
            ("status",),
            registry=registry,
        )
        self._lateness = Histogram(
            "cronhook_schedule_lateness_seconds",
            "From the scheduled instant to the start of the first request.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._duration = Histogram(
            "cronhook_webhook_duration_seconds", "How long requests took.", buckets=BUCKETS, registry=registry
        )
        for outcome in Outcome:
            self._attempts.labels(outcome.value)
        for status in ExecutionStatus:
            if status.is_final:
                self._ended.labels(status.value)
        self._database_up = Gauge("cronhook_database_up", "0 while the database does not answer.", registry=registry)
        self._database_up.set(1)
        self._redis_up: Gauge | None = None
        if with_redis:
            self._redis_up = Gauge("cronhook_redis_up", "0 while Redis does not answer.", registry=registry)
            self._redis_up.set(1)
        self._redis_parts_away: set[str] = set()
        Info("cronhook_build", "The version that runs.", registry=registry).info({"version": version("cronhook")})

    def execution_planned(self, plan: JobPlan, now: datetime) -> None:
        self._scheduled.inc()

    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None:
        self._attempts.labels(report.result.outcome.value).inc()
        self._duration.observe(report.duration.total_seconds())
        if claim.attempt_no == 1:
            began = report.finished_at - report.duration
            self._lateness.observe(max(0.0, (began - claim.scheduled_for).total_seconds()))
        if verdict.accepted:
            self._count_final(verdict)

    def executions_lost(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        for verdict in verdicts:
            self._attempts.labels(Outcome.LOST.value).inc()
            self._count_final(verdict)

    def leadership_changed(self, leads: bool, reason: str) -> None:
        self._leader.set(int(leads))
        self._leader_changes.inc()

    def dependency_changed(self, name: str, available: bool) -> None:
        if name == "database":
            self._database_up.set(int(available))
        elif self._redis_up is not None:
            (self._redis_parts_away.discard if available else self._redis_parts_away.add)(name)
            self._redis_up.set(int(not self._redis_parts_away))

    def _count_final(self, verdict: Verdict) -> None:
        if verdict.status is None or not verdict.status.is_final:
            return
        self._executed.inc()
        self._ended.labels(verdict.status.value).inc()
        if verdict.status is ExecutionStatus.FAILED:
            self._failed.inc()


class MetricsPage:
    """The text that Prometheus reads: what was counted, and what is asked for at that moment."""

    def __init__(self, registry: CollectorRegistry, queue: Queue) -> None:
        self.registry = registry
        self._queue = queue
        self._depth = Gauge("cronhook_queue_depth", "Messages that wait in the queue.", registry=registry)

    async def render(self) -> bytes:
        """A depth that cannot be read is NaN: stale figures mislead."""
        try:
            self._depth.set(await self._queue.depth())
        except QueueUnavailable:
            self._depth.set(float("nan"))
        return generate_latest(self.registry)

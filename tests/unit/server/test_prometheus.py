"""What moves which metric; every metric of the engine moves in one of the cases."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cronhook_core.domain.claim import Claim, Verdict
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import InactiveReason
from cronhook_core.domain.webhook import Outcome
from cronhook_core.engine import scheduler
from cronhook_core.engine.availability import Dependencies
from cronhook_core.testing.builders import NOW, make_execution, make_job, make_plan, make_report, make_result, retry
from cronhook_server.prometheus import BUCKETS, DEPENDENCIES, LOOPS, PrometheusHooks
from tests.unit.server.engine_values import RANDOM, make_claim, verdict_on

JOB = make_job("wsp_1")
CLAIM = make_claim(JOB)
SECOND = timedelta(seconds=1)

Announce = Callable[[PrometheusHooks], None]


def test_every_loop_has_its_series_from_the_start() -> None:
    """A rate does not see a series that begins at 1."""
    sources = [path.read_text() for path in Path(scheduler.__file__).parent.glob("*.py")]
    named = {name for text in sources for name in re.findall(r'(?:BackgroundLoop|pass_failed)\("([^"]+)"', text)}
    assert set(LOOPS) == named
    assert len(LOOPS) == len(named)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def samples(registry: CollectorRegistry) -> dict[str, float]:
    """By name and label; without the buckets, and without when a series was made."""
    return {
        sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    }


def finished(claim: Claim, verdict: Verdict, outcome: Outcome = Outcome.SUCCEEDED) -> Announce:
    """An attempt that began 875 ms after the instant for which it was scheduled, and took 125 ms."""
    report = retry(claim, NOW + SECOND, result=make_result(outcome))
    return lambda hooks: hooks.attempt_finished(claim, report, verdict)


def duration_and(lateness: float | None, **moved: float) -> dict[str, float]:
    told = {"cronhook_webhook_duration_seconds_count": 1, "cronhook_webhook_duration_seconds_sum": 0.125}
    if lateness is not None:
        told |= {"cronhook_schedule_lateness_seconds_count": 1, "cronhook_schedule_lateness_seconds_sum": lateness}
    return told | {f"cronhook_{name}": value for name, value in moved.items()}


def ended(status: ExecutionStatus) -> dict[str, float]:
    return {"cronhook_jobs_executed_total": 1, f"cronhook_executions_ended_total[{status.value}]": 1}


AGAIN = verdict_on(CLAIM, ExecutionStatus.QUEUED, next_attempt_at=NOW + timedelta(minutes=1))
DONE, FAILED, CANCELLED = (
    verdict_on(CLAIM, status)
    for status in (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)
)
REFUSED = verdict_on(CLAIM, ExecutionStatus.SUCCEEDED, accepted=False)

CASES: dict[str, tuple[Announce, dict[str, float]]] = {
    "planned": (
        lambda hooks: hooks.execution_planned(make_plan(JOB), NOW),
        {"cronhook_jobs_scheduled_total": 1},
    ),
    "planned after a downtime": (
        lambda hooks: hooks.execution_planned(
            make_plan(JOB, execution=make_execution(JOB, missed_count=7, missed_from=NOW - 7 * SECOND)), NOW
        ),
        {"cronhook_jobs_scheduled_total": 1, "cronhook_instants_missed_total": 7},
    ),
    "unplannable": (
        lambda hooks: hooks.job_unplannable(
            make_plan(JOB, execution=None, next_run=None, inactive_reason=InactiveReason.UNPLANNABLE), NOW
        ),
        {"cronhook_jobs_unplannable_total": 1},
    ),
    "leads": (
        lambda hooks: hooks.leadership_changed(True, "the lease was free"),
        {"cronhook_leader": 1, "cronhook_leader_changes_total": 1},
    ),
    "planned for a stuck leader": (
        lambda hooks: hooks.overdue_found(3 * SECOND, 12),
        {"cronhook_overdue_jobs_planned_total": 12},
    ),
    "jobs replanned": (
        lambda hooks: hooks.jobs_replanned(12),
        {"cronhook_jobs_replanned_total": 12},
    ),
    "succeeded": (
        finished(CLAIM, DONE),
        duration_and(0.875) | {"cronhook_attempts_total[succeeded]": 1} | ended(ExecutionStatus.SUCCEEDED),
    ),
    "to be retried": (
        finished(CLAIM, AGAIN, Outcome.TIMEOUT),
        duration_and(0.875) | {"cronhook_attempts_total[timeout]": 1},
    ),
    "failed for good": (
        finished(CLAIM, FAILED, Outcome.HTTP_ERROR),
        duration_and(0.875, jobs_failed_total=1)
        | {"cronhook_attempts_total[http_error]": 1}
        | ended(ExecutionStatus.FAILED),
    ),
    "cancelled meanwhile": (
        finished(CLAIM, CANCELLED, Outcome.DNS_ERROR),
        duration_and(0.875) | {"cronhook_attempts_total[dns_error]": 1} | ended(ExecutionStatus.CANCELLED),
    ),
    "a second attempt says nothing of lateness": (
        finished(make_claim(JOB, attempt_no=2), DONE),
        duration_and(None) | {"cronhook_attempts_total[succeeded]": 1} | ended(ExecutionStatus.SUCCEEDED),
    ),
    "too late to count": (
        finished(CLAIM, REFUSED),
        duration_and(0.875, late_results_total=1) | {"cronhook_attempts_total[succeeded]": 1},
    ),
    "lost": (
        lambda hooks: hooks.executions_lost([AGAIN, FAILED, REFUSED], NOW),
        {"cronhook_attempts_total[lost]": 2, "cronhook_jobs_failed_total": 1} | ended(ExecutionStatus.FAILED),
    ),
    "interrupted": (
        lambda hooks: hooks.executions_interrupted([AGAIN, CANCELLED, REFUSED], NOW),
        {"cronhook_attempts_total[interrupted]": 2} | ended(ExecutionStatus.CANCELLED),
    ),
    "given back": (
        lambda hooks: hooks.executions_released([AGAIN, REFUSED], NOW),
        {"cronhook_attempts_total[released]": 1},
    ),
    "a worker is dead": (
        lambda hooks: hooks.worker_buried("wrk_1", NOW),
        {"cronhook_workers_buried_total": 1},
    ),
    "a dependency is away": (
        lambda hooks: hooks.dependency_changed("queue", False),
        {"cronhook_dependency_outages_total[queue]": 1},
    ),
    "a dependency is back": (lambda hooks: hooks.dependency_changed("queue", True), {}),
    "a pass failed": (
        lambda hooks: hooks.pass_failed("claims", ValueError()),
        {"cronhook_pass_failures_total[claims]": 1},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_moves_what_it_should_and_nothing_else(registry: CollectorRegistry, name: str) -> None:
    announce, moved = CASES[name]
    hooks = PrometheusHooks(registry)
    before = samples(registry)
    announce(hooks)
    assert {key: value - before[key] for key, value in samples(registry).items() if value != before[key]} == moved


def test_no_metric_is_without_a_case(registry: CollectorRegistry) -> None:
    PrometheusHooks(registry)
    moved = {key.partition("[")[0] for _, moved in CASES.values() for key in moved}
    assert {key.partition("[")[0] for key in samples(registry)} - moved == {"cronhook_build_info"}


@pytest.mark.parametrize("outcome", Outcome)
def test_attempts_are_counted_by_outcome(registry: CollectorRegistry, outcome: Outcome) -> None:
    hooks = PrometheusHooks(registry)
    finished(CLAIM, AGAIN, outcome)(hooks)
    told = {o: registry.get_sample_value("cronhook_attempts_total", {"outcome": o.value}) for o in Outcome}
    assert told == {other: float(other is outcome) for other in Outcome}


def test_every_closed_set_of_labels_begins_at_zero(registry: CollectorRegistry) -> None:
    """So that a rate sees the first failure."""
    PrometheusHooks(registry)
    told = samples(registry)
    for status in ("succeeded", "failed", "cancelled", "skipped"):
        assert told[f"cronhook_executions_ended_total[{status}]"] == 0
    for dependency in DEPENDENCIES:
        assert told[f"cronhook_dependency_outages_total[{dependency}]"] == 0


def test_the_names_of_dependencies_are_those_of_the_engine() -> None:
    dependencies = Dependencies(PrometheusHooks(CollectorRegistry()), RANDOM)
    assert set(DEPENDENCIES) == {d.name for d in vars(dependencies).values()}


def test_who_ceases_to_lead_is_counted_too(registry: CollectorRegistry) -> None:
    hooks = PrometheusHooks(registry)
    hooks.leadership_changed(True, "the lease was free")
    hooks.leadership_changed(False, "it stops")
    assert registry.get_sample_value("cronhook_leader") == 0
    assert registry.get_sample_value("cronhook_leader_changes_total") == 2


def test_a_clock_that_was_set_back_makes_nothing_early(registry: CollectorRegistry) -> None:
    report = make_report(CLAIM, retry(CLAIM).decision, NOW - 5 * SECOND)
    PrometheusHooks(registry).attempt_finished(CLAIM, report, DONE)
    assert registry.get_sample_value("cronhook_schedule_lateness_seconds_sum") == 0


def test_buckets_reach_from_5_milliseconds_to_10_minutes(registry: CollectorRegistry) -> None:
    PrometheusHooks(registry)
    assert (BUCKETS[0], BUCKETS[-1]) == (0.005, 600)
    for histogram in ("schedule_lateness", "webhook_duration"):
        for bucket in BUCKETS:
            name, labels = f"cronhook_{histogram}_seconds_bucket", {"le": str(float(bucket))}
            assert registry.get_sample_value(name, labels) == 0


def test_the_version_is_told(registry: CollectorRegistry) -> None:
    PrometheusHooks(registry)
    (info,) = [family for family in registry.collect() if family.name == "cronhook_build"]
    assert set(info.samples[0].labels) == {"version", "python"}

"""Closed label sets are there from the start, so that `rate()` sees the first error."""

from prometheus_client import CollectorRegistry

from cronhook_core.domain.webhook import Outcome
from cronhook_server.prometheus import PrometheusHooks


def test_every_outcome_and_final_status_begins_at_zero() -> None:
    registry = CollectorRegistry()
    PrometheusHooks(registry, with_redis=False)
    for outcome in Outcome:
        assert registry.get_sample_value("cronhook_attempts_total", {"outcome": outcome.value}) == 0
    for status in ("succeeded", "failed", "cancelled", "skipped"):
        assert registry.get_sample_value("cronhook_executions_ended_total", {"status": status}) == 0
    assert registry.get_sample_value("cronhook_schedule_lateness_seconds_count") == 0
    assert registry.get_sample_value("cronhook_webhook_duration_seconds_bucket", {"le": "600.0"}) == 0

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from cronhook_core.domain.claim import Verdict
from cronhook_core.domain.execution import ExecutionStatus, QueueMessage
from cronhook_core.errors import QueueUnavailable
from cronhook_core.testing.builders import NOW, make_id
from cronhook_server.prometheus import MetricsPage, PrometheusHooks


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


class QueueThatIsAway:
    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None: ...
    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        return []

    async def depth(self) -> int:
        raise QueueUnavailable("away")

    async def announce(self, due_at: datetime) -> None: ...
    async def wait(self, timeout: timedelta) -> datetime | None:
        return None


def test_tells_who_leads_and_how_often_that_changed(registry: CollectorRegistry) -> None:
    hooks = PrometheusHooks(registry, with_redis=False)
    assert registry.get_sample_value("cronhook_leader") == 0
    hooks.leadership_changed(True, "it was free")
    assert registry.get_sample_value("cronhook_leader") == 1
    hooks.leadership_changed(False, "it stops")
    assert registry.get_sample_value("cronhook_leader") == 0
    assert registry.get_sample_value("cronhook_leader_changes_total") == 2


def test_redis_is_up_again_when_queue_and_lock_are(registry: CollectorRegistry) -> None:
    hooks = PrometheusHooks(registry, with_redis=True)
    told = []
    for name, available in (("queue", False), ("lock", False), ("queue", True), ("lock", True)):
        hooks.dependency_changed(name, available)
        told.append(registry.get_sample_value("cronhook_redis_up"))
    assert told == [0, 0, 0, 1]
    assert registry.get_sample_value("cronhook_database_up") == 1


def test_where_no_redis_is_it_tells_nothing_of_one(registry: CollectorRegistry) -> None:
    hooks = PrometheusHooks(registry, with_redis=False)
    hooks.dependency_changed("queue", False)
    assert registry.get_sample_value("cronhook_redis_up") is None


def test_an_execution_out_of_losses_counts_as_failed(registry: CollectorRegistry) -> None:
    hooks = PrometheusHooks(registry, with_redis=False)
    verdicts = [
        Verdict(execution_id=make_id("exe"), attempt_no=3, accepted=True, status=status)
        for status in (ExecutionStatus.QUEUED, ExecutionStatus.FAILED)
    ]
    hooks.executions_lost(verdicts, NOW)
    assert registry.get_sample_value("cronhook_jobs_failed_total") == 1
    assert registry.get_sample_value("cronhook_jobs_executed_total") == 1


async def test_a_depth_that_cannot_be_read_is_no_number(registry: CollectorRegistry) -> None:
    page = await MetricsPage(registry, QueueThatIsAway()).render()
    assert b"cronhook_queue_depth NaN" in page

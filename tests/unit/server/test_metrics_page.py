"""What the page asks of the backends, how often, and what it shows when they do not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.errors import QueueUnavailable, StoreUnavailable
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.queue import Queue
from cronhook_core.testing.builders import NOW, make_execution, make_job
from cronhook_core.testing.interposed import interposed
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server import metrics_page
from cronhook_server.metrics_page import FRESH_FOR, BackendGauges, MetricsPage

JUMP = timedelta(hours=2)


class Backends:
    """In memory; each call of store and queue is noted, and fails or hangs as `trouble` says."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.database = MemoryDatabase()
        self.asked: list[str] = []
        self.trouble: Callable[[], Awaitable[None]] | None = None
        self.jump: timedelta | None = None
        self.store = interposed(MemoryJobStore(self.database), JobStore, self._around)
        self.queue = interposed(MemoryQueue(self.clock), Queue, self._around)
        registry = CollectorRegistry()
        gauges = BackendGauges(
            registry,
            store=self.store,
            queue=self.queue,
            clock=self.clock,
            checks={"database": self.store.ping, "redis": self._redis},
            clock_jump=lambda: self.jump,
        )
        self.page = MetricsPage(registry, gauges)

    async def _around(self, method: str, call: Callable[[], Awaitable[Any]], /) -> Any:
        self.asked.append(method)
        await self._suffer()
        return await call()

    async def _redis(self) -> None:
        await self._suffer()

    async def _suffer(self) -> None:
        if self.trouble is not None:
            await self.trouble()

    async def shown(self) -> dict[str, float]:
        text = (await self.page.render()).decode()
        return {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}

    async def shown_later(self) -> dict[str, float]:
        await self.clock.advance(FRESH_FOR)
        return await self.shown()


@pytest.fixture
def backends() -> Backends:
    return Backends()


async def test_where_nothing_is_due_nothing_waits(backends: Backends) -> None:
    shown = await backends.shown()
    assert shown["cronhook_queue_depth"] == 0
    assert shown["cronhook_oldest_due_job_seconds"] == 0
    assert shown["cronhook_oldest_due_execution_seconds"] == 0
    assert (shown["cronhook_database_up"], shown["cronhook_redis_up"]) == (1, 1)


async def test_the_age_of_what_is_due_is_counted_from_when_it_became_available(backends: Backends) -> None:
    job = make_job("wsp_1", next_run=None)
    backends.database.jobs.put(job)
    for n in (30, 90):
        retried = make_execution(job, at=NOW - timedelta(days=1), available_at=NOW - timedelta(seconds=n))
        backends.database.executions.put(retried)
    shown = await backends.shown()
    assert shown["cronhook_oldest_due_execution_seconds"] == 90
    assert shown["cronhook_oldest_due_job_seconds"] == 0


async def test_the_age_of_a_job_that_nobody_plans_is_told(backends: Backends) -> None:
    backends.database.jobs.put(make_job("wsp_1", next_run=NOW - timedelta(seconds=7)))
    shown = await backends.shown()
    assert shown["cronhook_oldest_due_job_seconds"] == 7
    assert shown["cronhook_oldest_due_execution_seconds"] == 0


async def test_messages_that_wait_are_counted(backends: Backends) -> None:
    executions = [make_execution(make_job("wsp_1")) for _ in range(3)]
    await backends.queue.push([QueueMessage.of(execution) for execution in executions], NOW)
    assert (await backends.shown())["cronhook_queue_depth"] == 3


async def test_a_storm_of_scrapes_asks_once(backends: Backends) -> None:
    await asyncio.gather(*(backends.shown() for _ in range(50)))
    once = ["depth", "due_jobs", "ping", "ready"]
    assert sorted(backends.asked) == once
    await backends.shown()
    assert sorted(backends.asked) == once
    await backends.shown_later()
    assert sorted(backends.asked) == sorted(2 * once)


@pytest.mark.parametrize("error", [QueueUnavailable, StoreUnavailable])
async def test_what_cannot_be_asked_is_no_number(backends: Backends, error: type[Exception]) -> None:
    async def raises() -> None:
        raise error("away")

    backends.trouble = raises
    shown = await backends.shown()
    assert (shown["cronhook_database_up"], shown["cronhook_redis_up"]) == (0, 0)
    for name in ("queue_depth", "oldest_due_job_seconds", "oldest_due_execution_seconds"):
        assert shown[f"cronhook_{name}"] != shown[f"cronhook_{name}"]
    backends.trouble = None
    shown = await backends.shown_later()
    assert (shown["cronhook_database_up"], shown["cronhook_queue_depth"]) == (1, 0)


async def test_what_hangs_is_not_waited_for(backends: Backends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_page, "ASK_FOR", 0.01)
    backends.trouble = asyncio.Event().wait  # type: ignore[assignment]  # never set
    async with asyncio.timeout(30):
        shown = await backends.shown()
    assert (shown["cronhook_database_up"], shown["cronhook_redis_up"]) == (0, 0)


async def test_a_clock_that_is_set_is_counted_once(backends: Backends) -> None:
    assert (await backends.shown())["cronhook_clock_jumps_total"] == 0
    assert (await backends.shown_later())["cronhook_clock_jumps_total"] == 0
    backends.clock.step(-JUMP.total_seconds())
    assert (await backends.shown_later())["cronhook_clock_jumps_total"] == 1
    assert (await backends.shown_later())["cronhook_clock_jumps_total"] == 1


async def test_a_jump_that_is_not_believed_is_told(backends: Backends) -> None:
    assert (await backends.shown())["cronhook_clock_refused_jump_seconds"] == 0
    backends.jump = -JUMP
    assert (await backends.shown())["cronhook_clock_refused_jump_seconds"] == -7200


async def test_sends_and_slots_are_those_of_the_worker(backends: Backends) -> None:
    in_flight = 0
    backends.page.show_sends(lambda: in_flight, 500)
    in_flight = 42
    shown = await backends.shown()
    assert (shown["cronhook_sends_in_flight"], shown["cronhook_send_slots"]) == (42, 500)

"""The text that Prometheus reads: what was counted, and what is asked for at that moment."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import generate_latest

from cronhook_core.errors import CronhookError
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.queue import Queue
from cronhook_server.patience import within

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH_FOR = 1.0
"""Seconds for which what was asked for is shown again, however many scrape."""
ASK_FOR = 2.0
"""Seconds after which something that was asked counts as away."""
CLOCK_JUMP = timedelta(seconds=1)

Ask = Callable[[], Awaitable[float]]
Check = Callable[[], Awaitable[object]]
ClockJump = Callable[[], timedelta | None]


class MetricsPage:
    """Shows ``registry``, to which it adds gauges. What cannot be asked for is NaN: stale figures mislead."""

    def __init__(self, registry: CollectorRegistry, gauges: BackendGauges) -> None:
        self.registry = registry
        self._gauges = gauges
        self._asking = asyncio.Lock()
        self._fresh_until = -math.inf

    async def render(self) -> bytes:
        async with self._asking:
            if self._gauges.monotonic() >= self._fresh_until:
                await self._gauges.refresh()
                self._fresh_until = self._gauges.monotonic() + FRESH_FOR
        return generate_latest(self.registry)

    def show_sends(self, in_flight: Callable[[], int], slots: int) -> None:
        """Tell of this process's worker: how many sends it has under way, and how many it may have."""
        gauge = Gauge("cronhook_sends_in_flight", "Webhooks under way.", registry=self.registry)
        gauge.set_function(in_flight)
        Gauge("cronhook_send_slots", "Webhooks that may be under way at once.", registry=self.registry).set(slots)


class BackendGauges:
    """What is asked of the backends: reads that cost the same however much is stored, each for a bounded time.

    ``checks`` return, or raise, by the name of the dependency. ``clock_jump`` tells how far the server's clock jumped
    while that is not believed; None where there is no such clock.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        store: JobStore,
        queue: Queue,
        clock: Clock,
        checks: Mapping[str, Check],
        clock_jump: ClockJump | None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self.monotonic = clock.monotonic
        self._asked: list[tuple[Gauge, Ask]] = [
            (Gauge("cronhook_queue_depth", "Messages that wait in the queue.", registry=registry), self._depth),
            (
                Gauge(
                    "cronhook_oldest_due_job_seconds",
                    "For how long the oldest due job has waited to be planned; 0 when none is due.",
                    registry=registry,
                ),
                self._oldest_due_job,
            ),
            (
                Gauge(
                    "cronhook_oldest_due_execution_seconds",
                    "For how long the oldest due execution has waited for a worker; 0 when none is due.",
                    registry=registry,
                ),
                self._oldest_due_execution,
            ),
        ]
        self._up = [
            (Gauge(f"cronhook_{name}_up", f"0 while the {name} does not answer.", registry=registry), check)
            for name, check in checks.items()
        ]
        if clock_jump is not None:
            refused = Gauge(
                "cronhook_clock_refused_jump_seconds",
                "How far the database's clock jumped, while that is not believed.",
                registry=registry,
            )
            refused.set_function(lambda: (clock_jump() or timedelta()).total_seconds())
        self._jumps = Counter(
            "cronhook_clock_jumps",
            "How often this process found its clock set by more than a second.",
            registry=registry,
        )
        self._began = self._wall_ahead()

    async def refresh(self) -> None:
        self._count_jump()
        await asyncio.gather(
            *(_set(gauge, ask) for gauge, ask in self._asked), *(_set_up(gauge, check) for gauge, check in self._up)
        )

    def _count_jump(self) -> None:
        ahead = self._wall_ahead()
        if abs(ahead - self._began) > CLOCK_JUMP:
            self._jumps.inc()
        self._began = ahead

    def _wall_ahead(self) -> datetime:
        """The instant at which the monotonic clock was 0: it moves when the clock is set."""
        return self._clock.now() - timedelta(seconds=self._clock.monotonic())

    async def _depth(self) -> float:
        return await self._queue.depth()

    async def _oldest_due_job(self) -> float:
        now = self._clock.now()
        due = await self._store.due_jobs(now, 1)
        return (now - due[0].next_run).total_seconds() if due else 0.0

    async def _oldest_due_execution(self) -> float:
        now = self._clock.now()
        for message in await self._store.ready(now, 1):
            execution = await self._store.get_execution(message.workspace_id, message.execution_id)
            if execution is not None:
                return max(0.0, (now - execution.available_at).total_seconds())
        return 0.0


async def _set(gauge: Gauge, ask: Ask) -> None:
    try:
        gauge.set(await within(ASK_FOR, ask()))
    except (CronhookError, TimeoutError):
        gauge.set(math.nan)


async def _set_up(gauge: Gauge, check: Check) -> None:
    try:
        await within(ASK_FOR, check())
    except (CronhookError, TimeoutError):
        gauge.set(0)
    else:
        gauge.set(1)

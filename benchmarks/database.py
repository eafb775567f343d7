"""One-time webhooks through Postgres without a network or a receiver: what each step takes, and what is kept of it."""

import time
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Engine, text

from benchmarks.reporting import Row, over_runs, progress
from benchmarks.seeding import seeding
from benchmarks.sizes import Sizes
from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.sql.engines import engine_for
from cronhook_core.backends.sql.migrations import upgrade
from cronhook_core.domain.claim import AttemptReport, Claim
from cronhook_core.domain.retry_policy import Succeed
from cronhook_core.domain.webhook import Outcome, WebhookResult
from cronhook_core.engine.planner import plan_jobs
from cronhook_server.process import run
from tests.services import PostgresServer

JOBS = 10_000
GROUP = 100
WORKER = "wrk_benchmark"
ANSWER = WebhookResult(
    outcome=Outcome.SUCCEEDED, response_status=200, response_headers=(("content-length", "2"),), response_body="ok"
)
KEPT = """
SELECT
    sum(pg_table_size(name)), sum(pg_indexes_size(name)), pg_current_wal_insert_lsn() - '0/0'::pg_lsn
FROM unnest(ARRAY['executions', 'job_logs']::regclass[]) AS name
"""

T = TypeVar("T")


def run_database(sizes: Sizes) -> list[Row]:
    rows = []
    for number in range(1, sizes.runs + 1):
        progress(f"{JOBS:,} one-time jobs in groups of {GROUP}, run {number}")
        with PostgresServer() as server:
            upgrade(server.url)
            rows.append({"run": str(number)} | _measured(server.url))
    return over_runs(rows)


def _measured(url: str) -> Row:
    now = SystemClock().now()
    with seeding(url) as seeder:
        seeder.one_time(JOBS, lambda _: "http://127.0.0.1:9/hook", lambda _: now - timedelta(minutes=1))
        seeder.analyze()
    engine = engine_for(url)
    try:
        before = _kept(engine)
        steps = run(_Webhooks().go(url, now))
        after = _kept(engine)
    finally:
        engine.dispose()
    names = ("table bytes", "index bytes", "log bytes")
    bytes_of = {name: (now - then) / JOBS for name, then, now in zip(names, before, after, strict=True)}
    return {f"{step} µs": seconds / JOBS * 1e6 for step, seconds in steps.items()} | bytes_of


def _kept(engine: Engine) -> list[float]:
    with engine.begin() as connection:
        return [float(size) for size in connection.execute(text(KEPT)).one()]


class _Webhooks:
    """Each step's calls, timed: the statement itself, its parameters and its rows."""

    def __init__(self) -> None:
        self._steps: dict[str, float] = {}

    async def go(self, url: str, now: datetime) -> dict[str, float]:
        async with PostgresDatabase.open(url) as database:
            store = PostgresJobStore(database)
            await store.register_worker(WORKER, now)
            while due := await self._timed("due", store.due_jobs(now, GROUP)):
                queued = await self._timed("plan", store.plan(plan_jobs(due, now), now))
                claims = await self._timed("claim", store.claim(queued, worker_id=WORKER, now=now))
                verdicts = await self._timed("finish", store.finish([_succeeded(claim, now) for claim in claims], now))
                assert len(verdicts) == len(due)
                assert all(verdict.accepted for verdict in verdicts)
        return self._steps

    async def _timed(self, step: str, call: Awaitable[T]) -> T:
        began = time.perf_counter()
        result = await call
        self._steps[step] = self._steps.get(step, 0.0) + time.perf_counter() - began
        return result


def _succeeded(claim: Claim, now: datetime) -> AttemptReport:
    return AttemptReport(
        execution_id=claim.execution_id,
        attempt_no=claim.attempt_no,
        job_id=claim.job_id,
        result=ANSWER,
        decision=Succeed(),
        duration=timedelta(milliseconds=3),
        finished_at=now,
    )

"""The planner alone: due cron jobs through the rule and into the store."""

import time
from datetime import timedelta

from benchmarks.reporting import Row, over_runs, progress
from benchmarks.seeding import seeding
from benchmarks.sizes import Sizes
from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.sql.migrations import upgrade
from cronhook_core.engine.planner import plan_jobs
from cronhook_core.engine.scheduler import SchedulerOptions
from cronhook_server.process import run
from tests.services import PostgresServer

JOBS = 10_000
LINES = [f"{minute} {hour} * * *" for minute in range(10) for hour in range(10)]
BATCH = SchedulerOptions().batch


def run_planner(sizes: Sizes) -> list[Row]:
    with PostgresServer() as server:
        upgrade(server.url)
        with seeding(server.url) as seeder:
            rows = []
            for number in range(1, sizes.runs + 1):
                progress(f"{JOBS:,} due cron jobs on {len(LINES)} lines, run {number}")
                seeder.cron(JOBS, "http://127.0.0.1:9/hook", LINES, SystemClock().now() - timedelta(minutes=1))
                seeder.analyze()
                rows.append({"run": str(number)} | run(_plan_all(server.url)))
    return over_runs(rows)


async def _plan_all(database_url: str) -> dict[str, float]:
    """As the scheduler does, without telling workers."""
    now, planned, ruling = SystemClock().now(), 0, 0.0
    async with PostgresDatabase.open(database_url) as database:
        store = PostgresJobStore(database)
        await store.ping()
        began, cpu = time.perf_counter(), time.process_time()
        while due := await store.due_jobs(now, BATCH):
            rule_began = time.perf_counter()
            plans = plan_jobs(due, now)
            ruling += time.perf_counter() - rule_began
            planned += len(await store.plan(plans, now))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "planned": float(planned),
        "per second": planned / seconds,
        "rule µs": ruling / planned * 1e6,
        "scheduler µs": cpu / planned * 1e6,
    }

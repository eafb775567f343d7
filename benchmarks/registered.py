"""A small herd while many more jobs are stored for later: what is not due must cost nothing."""

import time

from benchmarks.processes import Installation, cpu_seconds, on_postgres
from benchmarks.receiver import Receiver, receiving
from benchmarks.reporting import Row, over_runs, percentile, progress
from benchmarks.seeding import Seeder, due_after_storing, seeding
from benchmarks.sizes import Sizes

HERD = 1_000
SETTLE_SECONDS = 1.0
MEGABYTE = 1e6


def run_registered(sizes: Sizes) -> list[Row]:
    rows: list[Row] = []
    with receiving() as receiver:
        for registered in sizes.registered:
            with on_postgres(with_redis=True) as installation, seeding(installation.database_url) as seeder:
                progress(f"registering {registered:,} jobs")
                seeder.far_ahead(registered, receiver.url())
                seeder.analyze()
                _run(0, registered, installation, seeder, receiver)  # the first herd of fresh processes
                runs = [_run(n, registered, installation, seeder, receiver) for n in range(1, sizes.runs + 1)]
            rows += over_runs(runs)
    return rows


def _run(number: int, registered: int, installation: Installation, seeder: Seeder, receiver: Receiver) -> Row:
    progress(f"herd of {HERD:,} beside {registered:,}, run {number}")
    receiver.clear()
    installation.wait_until_idle()
    due = due_after_storing(HERD)
    seeder.one_time(HERD, receiver.url, lambda _: due)
    time.sleep(max(0.0, due.timestamp() - time.time() - 0.2))
    scheduler, database = cpu_seconds(installation.scheduler), installation.database_cpu()
    arrivals = receiver.wait_for(HERD)
    time.sleep(SETTLE_SECONDS)
    return {
        "registered": f"{registered:,}",
        "run": str(number),
        "first ms": arrivals.lateness[0],
        "p50 ms": percentile(arrivals.lateness, 0.5),
        "last ms": arrivals.lateness[-1],
        "scheduler µs": (cpu_seconds(installation.scheduler) - scheduler) / HERD * 1e6,
        "postgres µs": (installation.database_cpu() - database) / HERD * 1e6,
        "scheduler MB": installation.scheduler.memory_info().rss / MEGABYTE,
        "missing": float(HERD - arrivals.different),
    }

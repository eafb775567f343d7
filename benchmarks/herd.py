"""Many jobs due at one instant: how fast they all arrive, beside a client that does nothing else."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial

from benchmarks.ceiling import Ceiling, measure_ceiling
from benchmarks.processes import Installation, on_postgres, on_sqlite
from benchmarks.receiver import Arrivals, Receiver, receiving
from benchmarks.reporting import Row, over_runs, percentile, progress
from benchmarks.seeding import Seeder, due_after_storing, seeding
from benchmarks.sizes import Sizes

MEGABYTE = 1e6
SETTLE_SECONDS = 1.0
"""After the last arrival, so that the CPU time of writing its result counts."""

SHORT, SHORT_ONES = 10_000, 3
"""A herd of fewer jobs is over in half a second, in which a machine may do something else: there are so many a run."""

INSTALLATIONS: dict[str, Callable[[], AbstractContextManager[Installation]]] = {
    "postgres + redis": partial(on_postgres, with_redis=True),
    "postgres + redis, 2 workers": partial(on_postgres, with_redis=True, workers=2),
    "postgres": partial(on_postgres, with_redis=False),
    "embedded sqlite": on_sqlite,
}
COMPARED = [["postgres + redis", "postgres + redis, 2 workers"], ["postgres"], ["embedded sqlite"]]
"""Those of a group run in turn, so that a machine that slows down meets them alike; no other daemons run beside."""


def run_herd(sizes: Sizes) -> list[Row]:
    rows: list[Row] = []
    with receiving() as receiver:
        for count in sizes.herds:
            runs = sizes.runs * (SHORT_ONES if count < SHORT else 1)
            for names in COMPARED:
                rows += _in_turn(names, count, runs, receiver)
        if sizes.great_herd:
            progress(f"herd of {sizes.great_herd:,}, once")
            rows.append(herd_of_one_worker(1, sizes.great_herd, receiver))
    return rows


def _in_turn(names: Sequence[str], count: int, runs: int, receiver: Receiver) -> list[Row]:
    """Every installation has its first run, then every one its second."""
    with ExitStack() as stack:
        opened = {name: stack.enter_context(INSTALLATIONS[name]()) for name in names}
        seeders = {name: stack.enter_context(seeding(opened[name].database_url)) for name in opened}
        rows: dict[str, list[Row]] = {name: [] for name in opened}
        for number in range(1, runs + 1):
            for name, installation in opened.items():
                progress(f"herd of {count:,} on {name}")
                rows[name].append(_run(name, number, count, installation, seeders[name], receiver))
    return [row for of_one in rows.values() for row in over_runs(of_one)]


def herd_of_one_worker(number: int, count: int, receiver: Receiver) -> Row:
    """One herd on Postgres and Redis, on servers and daemons of its own."""
    with on_postgres(with_redis=True) as installation, seeding(installation.database_url) as seeder:
        return _run("postgres + redis", number, count, installation, seeder, receiver)


def _run(name: str, number: int, count: int, installation: Installation, seeder: Seeder, receiver: Receiver) -> Row:
    ceiling = measure_ceiling(receiver, max(count, 5_000))
    due = due_after_storing(count)
    seeder.one_time(count, receiver.url, lambda _: due)
    seeder.analyze()
    time.sleep(max(0.0, due.timestamp() - time.time() - 0.2))
    worker, database = installation.worker_cpu(), installation.database_cpu()
    arrivals = receiver.wait_for(count)
    time.sleep(SETTLE_SECONDS)
    cpu = {
        "worker µs": (installation.worker_cpu() - worker) / count * 1e6,
        "postgres µs": (installation.database_cpu() - database) / count * 1e6,
    }
    megabytes = {"worker MB": sum(worker.memory_info().rss for worker in installation.workers) / MEGABYTE}
    row = {"on": name, "jobs": f"{count:,}", "run": str(number)} | figures(count, due.timestamp(), arrivals, ceiling)
    progress(f"run {number}: {row['per second']:,.0f}/s, {row['ratio']:.2f} of the ceiling")
    return row | cpu | megabytes


def figures(count: int, due: float, arrivals: Arrivals, ceiling: Ceiling) -> dict[str, str | float]:
    per_second = len(arrivals.times) / (arrivals.times[-1] - due)
    return {
        "ceiling": ceiling.per_second,
        "ceiling µs": ceiling.cpu_us,
        "per second": per_second,
        "ratio": per_second / ceiling.per_second,
        "first ms": arrivals.lateness[0],
        "p50 ms": percentile(arrivals.lateness, 0.5),
        "p99 ms": percentile(arrivals.lateness, 0.99),
        "missing": float(count - arrivals.different),
        "repeats": float(len(arrivals.times) - arrivals.different),
    }

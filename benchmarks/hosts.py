"""A herd over many hosts that take their time: whether the slots of a worker are in use."""

import time
from collections.abc import Sequence

from benchmarks.processes import on_postgres
from benchmarks.receiver import Receiver, receiving
from benchmarks.reporting import Row, over_runs, percentile, progress
from benchmarks.seeding import HOSTS, Seeder, due_after_storing, seeding
from benchmarks.sizes import Sizes
from cronhook_core.engine.worker import WorkerOptions

ANSWER_SECONDS = 0.2
JOBS = 5_000
WORKSPACES = 10
"""One workspace alone may use two thirds of the slots."""
CEILING = WorkerOptions().concurrency / ANSWER_SECONDS


def run_hosts(sizes: Sizes) -> list[Row]:
    addresses = [f"127.0.1.{number}" for number in range(1, HOSTS + 1)]
    with (
        receiving(delay=ANSWER_SECONDS, hosts=addresses) as receiver,
        on_postgres(with_redis=True) as installation,
        seeding(installation.database_url, workspaces=WORKSPACES) as seeder,
    ):
        runs = [_run(number, seeder, receiver) for number in range(1, sizes.runs + 1)]
    return over_runs(runs)


def _run(number: int, seeder: Seeder, receiver: Receiver) -> Row:
    progress(f"herd of {JOBS:,} over {HOSTS} hosts that answer after {ANSWER_SECONDS} s, run {number}")
    receiver.clear()
    due = due_after_storing(JOBS)
    seeder.one_time(JOBS, receiver.url, lambda _: due)
    seeder.analyze()
    arrivals = receiver.wait_for(JOBS)
    time.sleep(ANSWER_SECONDS)
    per_second = len(arrivals.times) / (arrivals.times[-1] - due.timestamp())
    return {
        "jobs": f"{JOBS:,}",
        "run": str(number),
        "slots/s": CEILING,
        "per second": per_second,
        "ratio": per_second / CEILING,
        "steady ratio": _middle_rate(arrivals.times) / CEILING,
        "p50 ms": percentile(arrivals.lateness, 0.5),
        "missing": float(JOBS - arrivals.different),
    }


def _middle_rate(times: Sequence[float]) -> float:
    """Arrivals a second between the first and the last tenth."""
    first, last = len(times) // 10, len(times) * 9 // 10
    return (last - first) / (times[last] - times[first])

"""A worker killed with -9 in the middle of a herd, and started again: what is missing, and what is repeated."""

import time

import psutil

from benchmarks.processes import Installation, on_postgres
from benchmarks.receiver import Receiver, receiving
from benchmarks.reporting import Row, over_runs, progress
from benchmarks.seeding import due_after_storing, seeding
from benchmarks.sizes import Sizes

JOBS = 5_000
KILLED_AT = 0.4
RESTARTED_AFTER_SECONDS = 1.0
LOOK_SECONDS = 0.005


def run_kill(sizes: Sizes) -> list[Row]:
    runs = []
    with receiving() as receiver:
        for number in range(1, sizes.runs + 1):
            progress(f"worker killed at {KILLED_AT:.0%} of a herd of {JOBS:,}, run {number}")
            with on_postgres(with_redis=True) as installation:
                runs.append({"run": str(number)} | _run(installation, receiver))
    return over_runs(runs)


def _run(installation: Installation, receiver: Receiver) -> dict[str, float]:
    receiver.clear()
    with seeding(installation.database_url) as seeder:
        due = due_after_storing(JOBS)
        seeder.one_time(JOBS, receiver.url, lambda _: due)
        seeder.analyze()
        killed_at = _kill(installation.workers[0], receiver)
        claimed = seeder.running()
        time.sleep(RESTARTED_AFTER_SECONDS)
        installation.start("worker")
        arrivals = receiver.wait_for(JOBS, different=True)
    return {
        "claimed at the kill": float(claimed),
        "repeats": float(len(arrivals.times) - arrivals.different),
        "missing": float(JOBS - arrivals.different),
        "last s after the kill": arrivals.times[-1] - killed_at,
    }


def _kill(worker: psutil.Process, receiver: Receiver) -> float:
    while receiver.count() < KILLED_AT * JOBS:
        time.sleep(LOOK_SECONDS)
    worker.kill()
    worker.wait()
    return time.time()

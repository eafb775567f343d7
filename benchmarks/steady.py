"""Jobs due one after another at an even rate: how late they are, beside a bare timer of the same loop."""

import asyncio
import time
from datetime import timedelta

from benchmarks.processes import on_postgres
from benchmarks.receiver import Receiver, receiving
from benchmarks.reporting import Row, over_runs, percentile, progress
from benchmarks.seeding import LEAD, Seeder, seeding
from benchmarks.sizes import Sizes
from cronhook_core.backends.clocks import SystemClock
from cronhook_server.process import run

RATES = (100, 500)


def run_steady(sizes: Sizes) -> list[Row]:
    rows: list[Row] = []
    with (
        receiving() as receiver,
        on_postgres(with_redis=True) as installation,
        seeding(installation.database_url) as seeder,
    ):
        for rate in RATES:
            progress(f"steady load of {rate}/s for {sizes.seconds} s")
            rows += over_runs([_run(n, rate, sizes.seconds, seeder, receiver) for n in range(1, sizes.runs + 1)])
    return rows


def _run(number: int, rate: int, seconds: int, seeder: Seeder, receiver: Receiver) -> Row:
    receiver.clear()
    timer = run(_timer_lateness(rate, seconds))
    count = rate * seconds
    begin = SystemClock().now() + LEAD
    seeder.one_time(count, receiver.url, lambda number: begin + timedelta(seconds=number / rate))
    arrivals = receiver.wait_for(count)
    return {
        "per second": f"{rate}",
        "run": str(number),
        "timer p50 ms": percentile(timer, 0.5),
        "timer p99 ms": percentile(timer, 0.99),
        "p50 ms": percentile(arrivals.lateness, 0.5),
        "p99 ms": percentile(arrivals.lateness, 0.99),
        "worst ms": arrivals.lateness[-1],
        "missing": float(count - arrivals.different),
    }


async def _timer_lateness(rate: int, seconds: int) -> list[float]:
    """Milliseconds, in order, of timers that only note when they fire."""
    lateness: list[float] = []
    begin = time.time()
    for number in range(rate * seconds):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.time()))
        lateness.append(1e3 * (time.time() - due))
    return sorted(lateness)

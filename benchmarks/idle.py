"""Daemons with nothing to do: what they cost, and whether they grow."""

import time
from contextlib import ExitStack

import psutil

from benchmarks.processes import cpu_seconds, on_postgres, on_sqlite, wait_until_idle
from benchmarks.reporting import Row, progress
from benchmarks.sizes import Sizes
from tests.services import free_port

SETTLE_SECONDS = 5.0
MEGABYTE = 1e6


def run_idle(sizes: Sizes) -> list[Row]:
    with ExitStack() as stack:
        installation = stack.enter_context(on_postgres(with_redis=True, port=free_port()))
        embedded = stack.enter_context(on_sqlite())
        daemons = {
            "api": installation.start("api"),
            "scheduler": installation.scheduler,
            "worker": installation.workers[0],
            "embedded sqlite": embedded.workers[0],
        }
        time.sleep(SETTLE_SECONDS)
        wait_until_idle(list(daemons.values()))
        time.sleep(SETTLE_SECONDS)
        progress(f"{len(daemons)} idle daemons for {sizes.idle_seconds} s")
        before = {name: _state(daemon) for name, daemon in daemons.items()}
        time.sleep(sizes.idle_seconds)
        return [_row(name, before[name], _state(daemon), sizes.idle_seconds) for name, daemon in daemons.items()]


def _state(daemon: psutil.Process) -> tuple[float, float]:
    return cpu_seconds(daemon), daemon.memory_info().rss / MEGABYTE


def _row(name: str, before: tuple[float, float], after: tuple[float, float], seconds: int) -> Row:
    return {
        "daemon": name,
        "seconds": f"{seconds}",
        "% of a core": 100 * (after[0] - before[0]) / seconds,
        "MB before": before[1],
        "MB after": after[1],
        "growth MB": after[1] - before[1],
    }

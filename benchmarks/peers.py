"""The same herd in other systems of Python, in the same run: APScheduler 3 on Postgres, and arq on Redis.

Their packages do not go together with cronhook's, so they are installed into an environment of their own.
"""

import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.ceiling import Ceiling, measure_ceiling
from benchmarks.herd import SETTLE_SECONDS, figures, herd_of_one_worker
from benchmarks.processes import cpu_seconds
from benchmarks.receiver import Receiver, receiving
from benchmarks.reporting import Row, over_runs, progress
from benchmarks.sizes import Sizes
from tests.services import PostgresServer, ServerProcess, ValkeyServer
from tests.watchdog import WATCHDOG

JOBS = 5_000
PROGRAMS = Path(__file__).with_name("peer_programs")


def run_peers(sizes: Sizes) -> list[Row]:
    python = _environment()
    rows: list[Row] = []
    with receiving() as receiver:
        rows += over_runs([_cronhook(number, receiver) for number in range(1, sizes.runs + 1)])
        for name, run in (("APScheduler 3 + Postgres", _apscheduler), ("arq + Redis", _arq)):
            rows += over_runs([_peer(name, run, n, python, receiver) for n in range(1, sizes.runs + 1)])
    return rows


def _environment() -> Path:
    progress("installing APScheduler and arq")
    folder = WATCHDOG.make_folder() / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(PROGRAMS / "requirements.txt")]
    subprocess.run(command, check=True)
    return python


def _cronhook(number: int, receiver: Receiver) -> Row:
    row = herd_of_one_worker(number, JOBS, receiver)
    cpu = {"system µs": row["worker µs"], "database µs": row["postgres µs"]}
    return (
        {"system": "cronhook, Postgres + Redis"} | {k: v for k, v in row.items() if "µs" not in k and k != "on"} | cpu
    )


def _peer(name: str, run: Callable[[Path, Receiver], Row], number: int, python: Path, receiver: Receiver) -> Row:
    progress(f"herd of {JOBS:,} on {name}, run {number}")
    return {"system": name, "jobs": f"{JOBS:,}", "run": str(number)} | dict(run(python, receiver))


def _apscheduler(python: Path, receiver: Receiver) -> Row:
    with PostgresServer(settings={"shared_buffers": "256MB"}) as postgres:
        database = postgres.url.replace("postgresql://", "postgresql+psycopg://")
        return _measured([str(python), str(PROGRAMS / "apscheduler_herd.py"), database], postgres, receiver)


def _arq(python: Path, receiver: Receiver) -> Row:
    with ValkeyServer() as valkey:
        return _measured([str(python), str(PROGRAMS / "arq_herd.py"), valkey.url], valkey, receiver)


def _measured(command: list[str], server: ServerProcess, receiver: Receiver) -> Row:
    ceiling: Ceiling = measure_ceiling(receiver, JOBS)
    database = psutil.Process(server.pid)
    with _program([*command, receiver.url(), str(JOBS)]) as (process, due):
        time.sleep(max(0.0, due - time.time() - 0.2))
        before = cpu_seconds(process), cpu_seconds(database)
        arrivals = receiver.wait_for(JOBS)
        time.sleep(SETTLE_SECONDS)
        spent = cpu_seconds(process) - before[0], cpu_seconds(database) - before[1]
    cpu = {"system µs": spent[0] / JOBS * 1e6, "database µs": spent[1] / JOBS * 1e6}
    return figures(JOBS, due, arrivals, ceiling) | cpu


@contextmanager
def _program(command: list[str]) -> Iterator[tuple[psutil.Process, float]]:
    """The running program, and the due instant that it wrote."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True, start_new_session=True
    ) as process:
        WATCHDOG.watch_process(process.pid)
        try:
            assert process.stdout is not None
            yield psutil.Process(process.pid), float(process.stdout.readline())
        finally:
            process.kill()

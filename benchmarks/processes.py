"""cronhook as its users run it: each daemon in a process of its own, configured by its environment alone."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from attrs import frozen

from tests.services import PostgresServer, ServerProcess, ValkeyServer
from tests.watchdog import WATCHDOG

COMMAND = str(Path(sys.executable).with_name("cronhook"))
STOP_SECONDS = 20.0
SECRET_KEY = "a secret key of benchmarks, and of nothing else"


def environment(**values: object) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CRONHOOK_")}
    defaults = {"secret_key": SECRET_KEY, "allowed_targets": "127.0.0.0/8", "log_format": "json"}
    return inherited | {f"CRONHOOK_{name.upper()}": str(value) for name, value in (defaults | values).items()}


@contextmanager
def running(command: Sequence[str], settings: Mapping[str, str], folder: Path) -> Iterator[psutil.Process]:
    """A process that is asked to stop at the end of the block, and then killed."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, env=settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    WATCHDOG.watch_process(process.pid)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()


@frozen(kw_only=True)
class Installation:
    """Running daemons; each is there once in ``workers`` for every worker. ``postgres`` None: SQLite."""

    database_url: str
    settings: Mapping[str, str]
    workers: Sequence[psutil.Process]
    scheduler: psutil.Process
    postgres: psutil.Process | None

    def worker_cpu(self) -> float:
        """Seconds of CPU time spent by all workers since they began."""
        return sum(cpu_seconds(worker) for worker in self.workers)

    def database_cpu(self) -> float:
        return cpu_seconds(self.postgres) if self.postgres else 0.0


@contextmanager
def on_postgres(*, with_redis: bool, workers: int = 1) -> Iterator[Installation]:
    """One scheduler and so many workers on a Postgres of their own; its settings are the defaults, fsync off."""
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(settings={"shared_buffers": "256MB"}))
        values = {"database_url": postgres.url}
        if with_redis:
            values["redis_url"] = stack.enter_context(ValkeyServer()).url
        settings = environment(**values)
        subprocess.run([COMMAND, "migrate"], env=settings, check=True, capture_output=True)
        folder = WATCHDOG.make_folder()

        def start(name: str) -> psutil.Process:
            return stack.enter_context(running([COMMAND, name], settings, folder))

        yield Installation(
            database_url=postgres.url,
            settings=settings,
            workers=[start("worker") for _ in range(workers)],
            scheduler=start("scheduler"),
            postgres=_process(postgres),
        )


@contextmanager
def on_sqlite() -> Iterator[Installation]:
    """The embedded engine in one process, on a SQLite file."""
    folder = WATCHDOG.make_folder()
    database = folder / "jobs.db"
    settings = environment(database_url=f"sqlite:///{database}")
    subprocess.run([COMMAND, "migrate"], env=settings, check=True, capture_output=True)
    with running([sys.executable, "-m", "benchmarks.embedded_engine", str(database)], settings, folder) as process:
        yield Installation(
            database_url=settings["CRONHOOK_DATABASE_URL"],
            settings=settings,
            workers=[process],
            scheduler=process,
            postgres=None,
        )


def cpu_seconds(process: psutil.Process) -> float:
    """Of the process and all its children, those that have ended included."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(member.cpu_times()[:4]) for member in family)


def _process(server: ServerProcess) -> psutil.Process:
    return psutil.Process(server.pid)

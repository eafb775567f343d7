"""cronhook as its users run it: each daemon in a process of its own, configured by its environment alone."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from attrs import frozen

from tests.services import PostgresServer, ServerProcess, ValkeyServer
from tests.watchdog import WATCHDOG

COMMAND = str(Path(sys.executable).with_name("cronhook"))
STOP_SECONDS = 20.0
IDLE_LOOK_SECONDS = 0.5
IDLE_LOOKS = 40
IDLE_SHARE = 0.1
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
    start: Callable[[str], psutil.Process]
    """Starts one more daemon, by the name of its command."""

    def wait_until_idle(self) -> None:
        databases = [self.postgres] if self.postgres else []
        wait_until_idle([*self.workers, self.scheduler, *databases])

    def worker_cpu(self) -> float:
        """Seconds of CPU time spent by all workers since they began."""
        return sum(cpu_seconds(worker) for worker in self.workers)

    def database_cpu(self) -> float:
        return cpu_seconds(self.postgres) if self.postgres else 0.0


@contextmanager
def on_postgres(*, with_redis: bool, workers: int = 1, **more: object) -> Iterator[Installation]:
    """One scheduler and so many workers on a Postgres of their own; its settings are the defaults, fsync off.

    ``more`` are further settings of cronhook.
    """
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(settings={"shared_buffers": "256MB"}))
        values = {"database_url": postgres.url}
        if with_redis:
            values["redis_url"] = stack.enter_context(ValkeyServer()).url
        settings = environment(**values, **more)
        subprocess.run([COMMAND, "migrate"], env=settings, check=True, capture_output=True)
        folder = WATCHDOG.make_folder()

        def start(name: str) -> psutil.Process:
            return stack.enter_context(running([COMMAND, name], settings, folder))

        installation = Installation(
            database_url=postgres.url,
            settings=settings,
            workers=[start("worker") for _ in range(workers)],
            scheduler=start("scheduler"),
            postgres=_process(postgres),
            start=start,
        )
        installation.wait_until_idle()
        yield installation


@contextmanager
def on_sqlite() -> Iterator[Installation]:
    """The embedded engine in one process, on a SQLite file."""
    folder = WATCHDOG.make_folder()
    database = folder / "jobs.db"
    settings = environment(database_url=f"sqlite:///{database}")
    subprocess.run([COMMAND, "migrate"], env=settings, check=True, capture_output=True)
    with ExitStack() as stack:

        def start(module: str) -> psutil.Process:
            return stack.enter_context(running([sys.executable, "-m", module, str(database)], settings, folder))

        process = start("benchmarks.embedded_engine")
        installation = Installation(
            database_url=settings["CRONHOOK_DATABASE_URL"],
            settings=settings,
            workers=[process],
            scheduler=process,
            postgres=None,
            start=start,
        )
        installation.wait_until_idle()
        yield installation


def wait_until_idle(processes: Sequence[psutil.Process]) -> None:
    """Daemons that still load their modules would be measured with everything else."""
    for _ in range(IDLE_LOOKS):
        spent = sum(map(cpu_seconds, processes))
        time.sleep(IDLE_LOOK_SECONDS)
        if sum(map(cpu_seconds, processes)) - spent < IDLE_SHARE * IDLE_LOOK_SECONDS:
            return


def cpu_seconds(process: psutil.Process) -> float:
    """Of the process and all its children, those that have ended included."""
    try:
        family = [process, *process.children(recursive=True)]
        return sum(sum(member.cpu_times()[:4]) for member in family)
    except psutil.NoSuchProcess:
        return 0.0


def _process(server: ServerProcess) -> psutil.Process:
    return psutil.Process(server.pid)

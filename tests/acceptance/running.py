"""`cronhook up` as a user runs it: the installed command, in a folder of its own, with nothing but its settings."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx

from tests.canaries import HEADER_VALUE, LOOKOUT
from tests.services import free_port, wait_until
from tests.watchdog import WATCHDOG

COMMAND = Path(sys.executable).with_name("cronhook")
START_SECONDS = 60.0
STOP_SECONDS = 60.0


def settings(**values: object) -> dict[str, str]:
    """The environment of a process, with these settings of cronhook and no others: `port=0` is `CRONHOOK_PORT=0`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CRONHOOK_")}
    return inherited | {f"CRONHOOK_{name.upper()}": str(value) for name, value in values.items()}


def run(*arguments: str, folder: Path, **values: object) -> subprocess.CompletedProcess[str]:
    """One command of the command line, to its end."""
    ended = subprocess.run(
        [COMMAND, *arguments], cwd=folder, env=settings(**values), capture_output=True, text=True, timeout=STOP_SECONDS
    )
    if arguments[:2] != ("keys", "create"):
        LOOKOUT.look(f"the output of cronhook {arguments[0]}", ended.stdout)
    LOOKOUT.look(f"the errors of cronhook {arguments[0]}", ended.stderr)
    return ended


def ahead(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


class Up:
    """A server of `cronhook up`. It may be killed and started again: on the same port, on the same file.

    `open_files` is how many the process may have at most.
    """

    def __init__(
        self, folder: Path, *, key: str | None = None, open_files: int | None = None, **values: object
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = key
        self._command = [str(COMMAND), "up"]
        if open_files is not None:
            self._command = ["sh", "-c", f'ulimit -n {open_files}; exec "$0" "$@"', *self._command]
        self.output = ""
        self._settings: Mapping[str, str] = settings(
            **({"port": self.port, "allowed_targets": "127.0.0.1/32"} | values)
        )
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._welcomed = threading.Event()

    def start(self) -> Self:
        """Returns when the server has said that it is there."""
        self._welcomed.clear()
        self.output = ""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=self._settings, stdout=subprocess.PIPE, stderr=log, text=True
            )
        WATCHDOG.watch_process(self._process.pid)
        self._reader = threading.Thread(target=self._read, args=(self._process,))
        self._reader.start()
        if not self._welcomed.wait(START_SECONDS) or self._process.poll() is not None:
            raise RuntimeError(f"the server did not start:\n{self.output}\n{self.log}")
        if self.key is None:
            first_key = self.folder / "cronhook.db.first-key"
            self.key = first_key.read_text().strip() if first_key.exists() else self._make_key()
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def curl_line(self) -> str:
        (line,) = (line for line in self.output.splitlines() if line.startswith("curl "))
        return line

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, when the process has ended."""
        assert self._process is not None
        assert self._reader is not None
        code = self._process.wait(STOP_SECONDS)
        self._reader.join()
        LOOKOUT.look("the output of cronhook up", self.output)
        return code

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGKILL)
        self.wait()

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, headers={"x-api-key": self.key or ""}, timeout=10, **arguments)

    def create(self, **fields: Any) -> dict[str, Any]:
        run_at = fields.pop("run_at", None)
        body = {
            "name": "a job",
            "headers": {"authorization": HEADER_VALUE},
            "run_at": run_at.isoformat() if run_at else None,
        } | fields
        created = self.request("POST", "/v1/jobs", json=body)
        assert created.status_code == 201, created.text
        job: dict[str, Any] = created.json()
        return job

    def get(self, path: str) -> dict[str, Any]:
        answered = self.request("GET", path)
        assert answered.status_code == 200, answered.text
        body: dict[str, Any] = answered.json()
        return body

    def rows(self, job_id: str) -> list[dict[str, Any]]:
        """The log of a job, oldest first."""
        rows: list[dict[str, Any]] = self.get(f"/v1/jobs/{job_id}/logs?order=asc")["data"]
        return rows

    def ended(self, job_id: str, seconds: float = 30.0) -> dict[str, Any]:
        """The job, when it has become inactive."""
        wait_until(lambda: self.get(f"/v1/jobs/{job_id}")["status"] == "inactive", seconds, f"{job_id} is inactive")
        return self.get(f"/v1/jobs/{job_id}")

    def peak_memory(self) -> int:
        """Bytes that its process has had resident at most."""
        assert self._process is not None
        (line,) = (
            line for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines() if "VmHWM" in line
        )
        return int(line.split()[1]) * 1024

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows straight from the file."""
        with closing(sqlite3.connect(self.folder / "cronhook.db", timeout=10)) as connection:
            return connection.execute(statement).fetchall()

    def _make_key(self) -> str:
        """On Postgres `up` makes none where its output is not a terminal: there is no file to keep it beside."""
        command = [COMMAND, "keys", "create", "--workspace", "default", "--output", "json"]
        made = subprocess.run(command, env=self._settings, capture_output=True, check=True, timeout=STOP_SECONDS)
        key: str = json.loads(made.stdout)["key"]
        return key

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output += line
            if line.startswith("Press Ctrl-C"):
                self._welcomed.set()
        process.stdout.close()
        self._welcomed.set()

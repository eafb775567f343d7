"""Processes of cronhook, started as a user starts them: the installed command, settings from the environment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

import psutil

from tests.services import wait_until
from tests.watchdog import WATCHDOG

COMMAND = (str(Path(sys.executable).with_name("cronhook")),)
COMMAND_WITH_FAILPOINTS = (sys.executable, "-m", "cronhook_server.testing.failpoints")
END_SECONDS = 30.0


class CronhookProcess:
    """One process of cronhook, such as ``CronhookProcess("scheduler", settings={...})``.

    `settings` are environment variables; nothing else named ``CRONHOOK_…`` reaches it. With `failpoints` it runs with
    these. It starts in a folder of its own, where its log is kept over all its lives. `close` leaves nothing behind,
    and so does a test run that is killed.
    """

    def __init__(
        self,
        *arguments: str,
        settings: Mapping[str, str],
        failpoints: str | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        plain = COMMAND if failpoints is None else COMMAND_WITH_FAILPOINTS
        self.folder = WATCHDOG.make_folder()
        self._command = [*(plain if command is None else command), *arguments]
        self._settings = dict(settings) | ({} if failpoints is None else {"CRONHOOK_FAILPOINTS": failpoints})
        self._log = self.folder / "process.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the process was not started"
        return self._process.pid

    def start(self) -> Self:
        """Returns at once; a running process stays as it is."""
        if not self.running:
            others = {name: value for name, value in os.environ.items() if not name.startswith("CRONHOOK_")}
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self.folder,
                    env={**others, **self._settings},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            WATCHDOG.watch_process(self.pid)
        return self

    # What can be done to it.

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def suspend(self) -> None:
        """As by SIGSTOP: it does nothing at all from now on, and its connections stay open."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Asks it to end, once; see `wait`."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """As by kill -9; returns when the process is gone. A repeat does nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(END_SECONDS)

    def wait(self, seconds: float = END_SECONDS) -> int:
        """Its exit code, once it has ended: below 0 the number of the signal that killed it."""
        assert self._process is not None, "the process was not started"
        return self._process.wait(seconds)

    # What can be seen of it.

    def log(self) -> str:
        """All that it has written, over all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def log_size(self) -> int:
        """For `wait_for_line`: where the log ends now."""
        return len(self.log())

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The complete lines of its log that are JSON objects, those of one event if it is named."""
        lines = [line for line in self.log().splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")]
        events = [json.loads(line) for line in lines]
        return [event for event in events if name is None or event.get("event") == name]

    def wait_for_line(self, pattern: str, seconds: float = 60.0, *, after: int = 0) -> re.Match[str]:
        """The first match in the log from position `after` on, once it is there.

        TimeoutError, with the end of the log, when it has not come by then; RuntimeError when the process ended
        without it.
        """
        expression = re.compile(pattern)

        def seen() -> bool:
            return expression.search(self.log(), after) is not None or not self.running

        wait_until(seen, seconds, f"{pattern!r} in the log, which ends with\n{self.log()[-2000:]}")
        found = expression.search(self.log(), after)
        if found is None:
            raise RuntimeError(f"it ended without writing {pattern!r}:\n{self.log()[-2000:]}")
        return found

    def resident_bytes(self) -> int:
        """The memory that it holds now."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def wait_until_alive(self, url: str, seconds: float = 20.0) -> None:
        """Returns when ``/livez`` at this base URL is answered; RuntimeError when the process ended."""
        wait_until(lambda: is_alive(url) or not self.running, seconds, f"{url} is alive\n{self.log()[-2000:]}")
        if not self.running:
            raise RuntimeError(f"it ended at its start:\n{self.log()[-2000:]}")

    def close(self) -> None:
        """Kills what still runs; the log stays until the test run ends. A repeat does nothing."""
        self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def is_alive(url: str, timeout: float = 1.0) -> bool:
    """Whether ``/livez`` at this base URL is answered 200."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/livez", timeout=timeout) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException):
        return False

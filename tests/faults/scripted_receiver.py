"""A receiver in a process of its own, which can be stopped, killed and started again like any other."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.history import Arrival
from tests.faults.records import read_receiver_log
from tests.services import ServerProcess, wait_until

ROOT = Path(__file__).parents[2]
_START = (
    f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'receiver'; "
    "runpy.run_module('tests.faults.scripted_receiver_main', run_name='__main__')"
)


class ScriptedReceiver(ServerProcess):
    """Answers by the path, as `tests.replies` and `scripted_receiver_main.reply_to` read it.

    `hosts` are the loopback addresses it listens on: to the system under test, each of them is another host. Its log
    outlives kills and restarts of the process.
    """

    def __init__(self, hosts: Sequence[str] = ("127.0.0.1",)) -> None:
        super().__init__()
        self._hosts = hosts
        self._arrivals = self.folder / "arrivals.jsonl"

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def arrivals(self) -> list[Arrival]:
        """What has been written down by now, over all its lives."""
        return read_receiver_log(self._arrivals) if self._arrivals.exists() else []

    def wait_for(self, count: int, timeout: float = 120.0) -> list[Arrival]:
        """All arrivals, once there are so many."""
        wait_until(lambda: self.count >= count, timeout, f"{count} arrivals")
        return self.arrivals

    @property
    def count(self) -> int:
        """How many arrivals there are, without reading what they say."""
        return self._arrivals.read_bytes().count(b'{"arrival": ') if self._arrivals.exists() else 0

    def _command(self) -> Sequence[str]:
        return [sys.executable, "-c", _START, str(self.port), str(self._arrivals), *self._hosts]

    def _answers(self) -> bool:
        try:
            socket.create_connection((self._hosts[-1], self.port), timeout=1).close()
        except OSError:
            return False
        return True

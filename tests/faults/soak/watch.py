"""Looks at every daemon once a second: whether it is well, and how much memory it holds."""

from __future__ import annotations

import re
import threading
import urllib.request
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Self

import psutil

from tests.faults.history import Memory, Probe
from tests.faults.soak.fleet import Fleet

EVERY = 1.0
PATIENCE = 2.0
_NEEDED = ("cronhook_database_up", "cronhook_redis_up")


class Watch:
    """One thread for each daemon, until the block ends."""

    def __init__(self, fleet: Fleet) -> None:
        self.probes: list[Probe] = []
        self.memory: list[Memory] = []
        self._fleet = fleet
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._look_after, args=[name], daemon=True) for name in fleet.processes
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Waits for what is under way, unless the run is broken off: then all that it works on ends anyhow."""
        self._ended.set()
        for thread in self._threads if kind is None else ():
            thread.join()

    def _look_after(self, name: str) -> None:
        process = self._fleet.processes[name]
        while not self._ended.wait(EVERY):
            pid = process.pid
            healthy = is_healthy(self._fleet.address(name), api=name == "api")
            self.probes.append(Probe(at=datetime.now(UTC), process=name, pid=pid, healthy=healthy))
            if (held := _resident(pid)) is not None:
                self.memory.append(Memory(at=datetime.now(UTC), process=name, resident_bytes=held))


def is_healthy(address: str, *, api: bool) -> bool:
    """The API says so itself; the other daemons show that they reach what they need."""
    try:
        with urllib.request.urlopen(f"{address}/{'health' if api else 'metrics'}", timeout=PATIENCE) as response:
            text = response.read().decode()
    except (OSError, HTTPException):  # it may be killed in the middle of its answer
        return False
    return api or all(re.search(rf"^{name} 1\.0$", text, re.MULTILINE) for name in _NEEDED)


def _resident(pid: int) -> int | None:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return None

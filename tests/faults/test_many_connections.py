"""Connections without a key, more of them than the process may have open files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.acceptance.running import Up, ahead
from tests.machine import machine_delay
from tests.receiver import Receiver
from tests.services import wait_until

OPEN_FILES = 1024
CONNECTIONS = 1500
JOBS = 60
EVERY_SECONDS = 0.1
MOST_LATE_SECONDS = 0.5


@contextmanager
def half_open_connections(port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.faults.half_open", str(port), str(CONNECTIONS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as attacker:
        try:
            assert attacker.stdout is not None
            assert attacker.stdout.readline() == "opened\n"
            yield
        finally:
            attacker.kill()


@pytest.mark.suite("faults")
def test_webhooks_are_sent_on_time(tmp_path: Path, receiver: Receiver) -> None:
    with Up(tmp_path, open_files=OPEN_FILES) as up:
        assert up.key is not None
        first = ahead(seconds=15)
        for number in range(JOBS):
            due = first + timedelta(seconds=number * EVERY_SECONDS)
            up.create(run_at=due, callback_url=receiver.url(f"/?{due.isoformat()}"))
        with half_open_connections(up.port), machine_delay() as delay:
            assert ahead() < first, "the connections are there before the first job is due"
            wait_until(lambda: "connections_limited" in up.log, 10, "the log says that connections are limited")
            arrivals = receiver.wait_for(JOBS, timeout=60)
            allowed = MOST_LATE_SECONDS + delay()
        late = [(one.at - datetime.fromisoformat(one.path.partition("?")[2])).total_seconds() for one in arrivals]
        assert max(late) <= allowed, sorted(late)[-5:]
        assert up.log.count("connections_limited") == 1
        assert "Traceback" not in up.log
        wait_until(lambda: httpx.get(f"{up.url}/livez").is_success, 10, "the API answers")

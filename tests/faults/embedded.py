"""`cronhook up` on a SQLite file, as many processes of it as a test wants."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.faults.audit import audit_sqlite
from tests.faults.history import Act, Bounds, Fault, FaultLog, History, Text, Violation
from tests.faults.installation import ENOUGH_JOBS, ahead, creation
from tests.faults.oracle import judge
from tests.faults.processes import COMMAND, CronhookProcess
from tests.faults.records import read_sqlite
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import HELD, LONG, tell_lateness
from tests.services import free_port, wait_until

RETRIES = [1, 1]
"""Seconds: a sender that refuses once and loses an answer once may do both to the same execution."""
OPEN = """
    SELECT (SELECT count(*) FROM executions WHERE status IN ('queued', 'running'))
        + (SELECT count(*) FROM jobs WHERE status = 'active')
"""


class Embedded:
    """`cronhook up`, as often as there are ports, on one file."""

    def __init__(self, folder: Path, processes: int = 1) -> None:
        self.file = folder / "cronhook.db"
        self.ports = [free_port() for _ in range(processes)]
        self.processes = [CronhookProcess("up", settings=self.settings(port)) for port in self.ports]
        self._others: list[CronhookProcess] = []
        self._client = httpx.Client(timeout=30)

    def start(self) -> None:
        if "x-api-key" not in self._client.headers:
            self._client.headers["x-api-key"] = make_key(self.settings(self.ports[0]))
            audit_sqlite(self.file)
        for process, port in zip(self.processes, self.ports, strict=True):
            process.start().wait_until_alive(f"http://127.0.0.1:{port}", 60)

    def request(self, method: str, path: str, body: object = None, port: int | None = None) -> httpx.Response:
        return self._client.request(method, f"http://127.0.0.1:{port or self.ports[0]}{path}", json=body)

    def start_with(self, failpoints: str) -> CronhookProcess:
        """One more process on the file, which fails there."""
        settings = self.settings(self.ports[0])
        process = CronhookProcess("up", settings=settings, failpoints=failpoints)
        self._others.append(process)
        return process.start()

    def create(
        self, url: str, run_at: datetime | None = None, port: int | None = None, *, cron: str | None = None
    ) -> Act:
        asked_at = ahead()
        body = {
            "name": "a job",
            "callback_url": url,
            "run_at": run_at and run_at.isoformat(),
            "cron": cron,
            "retry_delays_seconds": RETRIES,
        }
        answer = self.request("POST", "/v1/jobs", body, port)
        answer.raise_for_status()
        return creation(answer.json(), asked_at)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def verdict(
        self,
        receiver: ScriptedReceiver,
        acts: Sequence[Act],
        *faults: Fault,
        killed_since: datetime | None = None,
        lateness: timedelta = LONG,
        within: float = 120.0,
    ) -> list[Violation]:
        """Once all has ended, whether the file is sound, and what the oracle says."""
        wait_until(lambda: self.rows(OPEN) == [(0,)], within, "all jobs have ended")
        assert self.rows("PRAGMA integrity_check") == [("ok",)]
        history = History(
            acts=acts,
            database=read_sqlite(self.file),
            arrivals=receiver.arrivals,
            fault_log=FaultLog(
                faults=[*faults, *self._killed(killed_since)],
                texts=[Text("up", process.log()) for process in (*self.processes, *self._others)],
            ),
            taken_at=ahead(),
        )
        bounds = Bounds(lateness=lateness, planning=LONG, held=HELD)
        tell_lateness(history, bounds)
        return judge(history, bounds, only=[f"I{n}" for n in range(1, 14)])

    def _killed(self, since: datetime | None) -> Iterator[Fault]:
        """All workers but those that live; as many repeats as sends of the others were lost are allowed."""
        if since is None:
            return
        living = {process.events("worker_registered")[-1]["worker_id"] for process in self.processes if process.running}
        workers = frozenset(worker for (worker,) in self.rows("SELECT id FROM workers")) - living
        lost = [by for (by,) in self.rows("SELECT worker_id FROM job_logs WHERE outcome = 'lost' OR late")]
        yield Fault(
            kind="kill -9",
            target="up",
            began=since,
            ended=ahead(),
            hard=True,
            sends_in_flight=sum(by in workers for by in lost),
            workers=workers,
        )

    def close(self) -> None:
        for process in (*self.processes, *self._others):
            process.close()
        self._client.close()

    def settings(self, port: int) -> dict[str, str]:
        return {
            "CRONHOOK_DATABASE_URL": f"sqlite:///{self.file}",
            "CRONHOOK_PORT": str(port),
            "CRONHOOK_ALLOWED_TARGETS": "127.0.0.0/8",
            "CRONHOOK_MAX_JOBS_PER_WORKSPACE": ENOUGH_JOBS,
            "CRONHOOK_CPU_PERCENT_PER_KEY": "100",
            "CRONHOOK_REQUESTS_PER_SECOND_PER_KEY": "0",
            "CRONHOOK_LOG_FORMAT": "json",
        }


def make_key(settings: Mapping[str, str]) -> str:
    """Migrates the file of these settings. A server that makes the first key itself shows it, also in its log."""
    for words in (["migrate"], ["keys", "create", "--workspace", "default", "-o", "json"]):
        done = subprocess.run([*COMMAND, *words], env=settings, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["key"])

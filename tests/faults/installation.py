"""A whole installation: daemons on one Postgres and one Redis, and a user who stores jobs."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any, Self

import httpx
import psycopg

from tests.canaries import DATABASE_PASSWORD, HEADER_VALUE, REDIS_PASSWORD, SECRET_KEY, with_password
from tests.faults.history import Act, Answer, Cron, Once
from tests.faults.processes import COMMAND, CronhookProcess
from tests.services import free_port, wait_until

ENOUGH_JOBS = "1000000"
SCHEDULERS, WORKERS = ("scheduler",) * 3, ("worker",) * 3
"""What `Installation.open` starts where a fault befalls a whole installation."""
WORKSPACES = ("default", "neighbour")
_KEYS: list[str] = []
_ROWS_OF_KEYS: dict[str, list[str]] = {"workspaces": [], "api_keys": []}


def ahead(**duration: float) -> datetime:
    return datetime.now(UTC) + timedelta(**duration)


class Installation:
    """Starts daemons with default settings but for addresses; `close` kills them all."""

    def __init__(self, postgres_url: str, redis_url: str | None, **settings: str) -> None:
        self.postgres_url = postgres_url
        self.port = free_port()
        self.settings: dict[str, str] = {
            "CRONHOOK_DATABASE_URL": with_password(postgres_url, "postgres", DATABASE_PASSWORD),
            "CRONHOOK_SECRET_KEY": SECRET_KEY,
            "CRONHOOK_PORT": str(self.port),
            "CRONHOOK_ALLOWED_TARGETS": "127.0.0.0/8",
            "CRONHOOK_MAX_JOBS_PER_WORKSPACE": ENOUGH_JOBS,
            "CRONHOOK_CPU_PERCENT_PER_KEY": "100",
            "CRONHOOK_MAX_IDEMPOTENCY_RECORDS_PER_WORKSPACE": ENOUGH_JOBS,
            "CRONHOOK_REQUESTS_PER_SECOND_PER_KEY": "0",
            "CRONHOOK_LOG_FORMAT": "json",
            **settings,
        }
        if redis_url is not None:
            self.settings.setdefault("CRONHOOK_REDIS_URL", with_password(redis_url, "default", REDIS_PASSWORD))
        self.processes: list[CronhookProcess] = []
        self.answers: list[Answer] = []
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10)

    def start(
        self, role: str, *, failpoints: str | None = None, command: Sequence[str] | None = None, **settings: str
    ) -> CronhookProcess:
        """A process of this role, which has said that it is there."""
        process = CronhookProcess(
            role, settings={**self.settings, **settings}, failpoints=failpoints, command=command
        ).start()
        self.processes.append(process)
        process.wait_for_line('"started"')
        return process

    def again(self, process: CronhookProcess) -> None:
        """Start a process that has ended, and wait until it is there."""
        size = process.log_size()
        process.start().wait_for_line('"started"', after=size)

    def open(self, *roles: str, api: bool = True) -> list[CronhookProcess]:
        """The API, with keys for `create`, and processes of these roles; all have said that they are there.

        Workers have told their ids too: what befalls one before that could not be put down to it.
        Not `api` where it was started already, in another way.
        """
        everything = ("api", *roles) if api else roles
        processes = [CronhookProcess(role, settings=self.settings).start() for role in everything]
        self.processes.extend(processes)
        self.make_key()
        for role, process in zip(everything, processes, strict=True):
            process.wait_for_line('"worker_registered"' if role == "worker" else '"started"')
        return processes

    def make_key(self) -> None:
        """Keys of two workspaces. The command makes the first ones; they are written into every later database."""
        if _KEYS:
            with psycopg.connect(self.postgres_url, autocommit=True) as connection:
                for table, rows in _ROWS_OF_KEYS.items():
                    query = f"INSERT INTO {table} SELECT * FROM json_populate_record(NULL::{table}, %s)"
                    connection.cursor().executemany(query, [(row,) for row in rows])
        else:
            for workspace in WORKSPACES:
                command = [*COMMAND, "keys", "create", "--workspace", workspace, "-o", "json"]
                made = subprocess.run(
                    command, env=self.settings, capture_output=True, text=True, check=True, timeout=120
                )
                _KEYS.append(json.loads(made.stdout)["key"])
            for table in _ROWS_OF_KEYS:
                _ROWS_OF_KEYS[table] += [row for (row,) in self.rows(f"SELECT row_to_json({table})::text FROM {table}")]
        self._client.headers["x-api-key"] = self.key

    @property
    def key(self) -> str:
        """That of the first workspace, which `request` uses."""
        return _KEYS[0]

    def request(self, method: str, path: str, body: object = None, *, workspace: int = 0) -> httpx.Response:
        """By the key of one of `WORKSPACES`; `httpx.HTTPError` while the API is away."""
        answer = self._client.request(method, path, json=body, headers={"x-api-key": _KEYS[workspace]})
        is_json = answer.is_success and answer.headers.get("content-type") == "application/json"
        shown = answer.json() if is_json else {}
        self.answers.append(
            Answer(
                at=ahead(),
                method=method,
                path=path,
                status=answer.status_code,
                workspace_id=json.loads(_ROWS_OF_KEYS["workspaces"][workspace])["id"],
                ids=frozenset(one["id"] for one in shown.get("data", [shown]) if "id" in one),
                retry_after="retry-after" in answer.headers,
            )
        )
        return answer

    def show_jobs(self) -> None:
        """To each workspace those that it has, for `answers`."""
        for workspace in range(len(WORKSPACES)):
            self.request("GET", "/v1/jobs?limit=100", workspace=workspace)

    def create(self, *, run_at: datetime | None = None, workspace: int = 0, **fields: Any) -> dict[str, Any]:
        """A stored job; `httpx.HTTPError` while the API or its database is away."""
        body = {"name": "a job", "headers": {"authorization": HEADER_VALUE}, **fields}
        if run_at is not None:
            body["run_at"] = run_at.isoformat()
        created = self.request("POST", "/v1/jobs", body, workspace=workspace)
        assert created.status_code in (201, 503), created.text
        created.raise_for_status()
        job: dict[str, Any] = created.json()
        return job

    def stored(self, **fields: Any) -> Act:
        """A job that is stored just now, as what a user did."""
        asked_at = ahead()
        return creation(self.create(**fields), asked_at)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def wait_for_rows(self, query: str, *parameters: object, seconds: float = 30.0) -> list[tuple[Any, ...]]:
        """The rows, once there are any."""
        wait_until(lambda: bool(self.rows(query, *parameters)), seconds, query)
        return self.rows(query, *parameters)

    def wait_until_done(self, seconds: float = 30.0) -> None:
        """Returns when no job is active and no execution open."""
        left = (
            "SELECT count(*) FROM (SELECT id FROM executions WHERE status IN ('queued', 'running') "
            "UNION ALL SELECT id FROM jobs WHERE status = 'active') AS open"
        )
        wait_until(lambda: self.rows(left) == [(0,)], seconds, "all jobs have ended")

    def close(self) -> None:
        for process in self.processes:
            process.close()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def metrics(process: CronhookProcess) -> Mapping[str, float]:
    """The samples without labels of what the process shows now."""
    address = process.events("listening")[-1]["address"]
    with urllib.request.urlopen(f"{address}/metrics", timeout=5) as response:
        text = response.read().decode()
    return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}


def leaders(schedulers: list[CronhookProcess]) -> list[CronhookProcess]:
    return [scheduler for scheduler in schedulers if scheduler.running and metrics(scheduler)["cronhook_leader"] == 1]


def leader(schedulers: list[CronhookProcess]) -> CronhookProcess:
    """The one that leads, once exactly one says so."""
    wait_until(lambda: len(leaders(schedulers)) == 1, 60, "exactly one scheduler leads")
    (found,) = leaders(schedulers)
    return found


def creation(job: Mapping[str, Any], asked_at: datetime) -> Act:
    """What a user did who was just answered with this job."""
    once = job["run_at"] is not None
    return Act(
        kind="create",
        job_id=job["id"],
        asked_at=asked_at,
        answered_at=ahead(),
        schedule=Once(datetime.fromisoformat(job["run_at"])) if once else Cron(job["cron"], job["timezone"]),
        retries=len(job["retry_delays_seconds"]),
    )


class Load:
    """Stores one-time jobs in the background, ``per_second``, each due ``ahead_seconds`` after it is stored.

    The workspaces take turns.
    Requests that the API refuses are given up: `stored` are the ids of what was answered 201, `acts` the same for the
    oracle.
    """

    def __init__(self, installation: Installation, url: str, *, per_second: float, ahead_seconds: float = 1.0) -> None:
        self.stored: list[str] = []
        self.acts: list[Act] = []
        self._installation = installation
        self._url = url
        self._pause = 1 / per_second
        self._ahead = ahead_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        turns = cycle(range(len(WORKSPACES)))
        while not self._ended.wait(self._pause):
            asked_at = ahead()
            run_at = asked_at + timedelta(seconds=self._ahead)
            try:
                job = self._installation.create(run_at=run_at, callback_url=self._url, workspace=next(turns))
            except httpx.HTTPError:
                continue
            self.stored.append(job["id"])
            self.acts.append(creation(job, asked_at))

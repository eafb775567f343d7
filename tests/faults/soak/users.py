"""Users of a soak: they store jobs at a steady rate, change some, and write down what they asked and were answered."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Self

import attrs
import httpx

from tests.faults.history import Act, Answer, Cron, Once, Schedule
from tests.faults.soak.fleet import HOSTS, Fleet

ASKED_AGAIN_FOR = 60.0
"""Seconds for which a user repeats what was not answered, or by a 503."""
ASKED_AGAIN_EVERY = 0.25
REQUEST_SECONDS = 8.0
CRON_LINES = ("* * * * *", "* * * * *", "*/2 * * * *", "1-59/2 * * * *")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
PATHS = (
    (60, "/between/0.2/5/ok"),
    (14, "/between/0.2/2/fail/1"),
    (6, "/between/0.2/2/status/503"),
    (6, "/between/0.2/1/retry-after/503/1"),
    (4, "/reset"),
    (4, "/between/0.2/1/status/410"),
    (3, "/between/0.2/1/stall"),
    (3, "/between/0.2/1/redirect/302"),
)
"""How the receiver answers, and how many in a hundred jobs ask for it."""
RETRY_DELAYS: tuple[list[int], ...] = ([1], [1, 2], [1, 2, 4], [])


class Unanswered(Exception):
    """Nobody knows whether it took place."""


@attrs.frozen(kw_only=True)
class Burst:
    """Jobs of one instant."""

    jobs: frozenset[str]
    due_at: datetime


class Users:
    """`THREADS` of them, in the background, ``per_second`` new jobs in all, until the block ends.

    What falls behind while the API is away is made up for. `acts` and `answers` are what came of it.
    """

    THREADS = 20

    def __init__(self, fleet: Fleet, *, seed: int, per_second: float, cron_jobs: int) -> None:
        self.acts: list[Act] = []
        self.answers: list[Answer] = []
        self.complaints: list[str] = []
        self.created = 0
        self._fleet = fleet
        self._per_second = per_second
        self._cron_jobs = cron_jobs
        self._random = Random(f"users {seed}")
        self._numbers = itertools.count(1)
        self._recurring: dict[str, Schedule] = {}
        self._taken: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._client = httpx.Client(
            base_url=fleet.api_url, headers={"x-api-key": fleet.api_key}, timeout=REQUEST_SECONDS
        )
        self._threads = [
            threading.Thread(target=self._run, args=[self._store_next], daemon=True) for _ in range(self.THREADS)
        ]
        self._threads.append(threading.Thread(target=self._run, args=[self._change_one], daemon=True))

    def __enter__(self) -> Self:
        for _ in range(self._cron_jobs):
            self._create_recurring()
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Waits for what is under way, unless the run is broken off: then all that it works on ends anyhow."""
        self._ended.set()
        for thread in self._threads if kind is None else ():
            thread.join()

    def burst(
        self, count: int, *, path: str, hosts: Sequence[str], leads: float, payload: Any = None, **fields: Any
    ) -> Burst:
        """Store jobs beside the load that are due ``leads`` seconds from now, on these hosts in turn.

        What is not answered in time is left out.
        """
        due_at = datetime.now(UTC) + timedelta(seconds=leads)

        def store(number: int) -> str | None:
            body = {
                "name": f"burst {number}",
                "callback_url": self._fleet.receiver.url(path, hosts[number % len(hosts)]),
                "payload": payload,
                "retry_delays_seconds": [1, 2, 4],
                "run_at": due_at.isoformat(),
                **fields,
            }
            try:
                return self._create(body, Once(due_at))
            except Unanswered:
                return None

        with ThreadPoolExecutor(min(count, self.THREADS)) as pool:
            stored = list(pool.map(store, range(count)))
        return Burst(jobs=frozenset(filter(None, stored)), due_at=due_at)

    def delete_recurring(self) -> None:
        """So that all can end. Those that are gone by themselves are left."""
        for job_id in list(self._recurring):
            self._act("delete", job_id, "DELETE", f"/v1/jobs/{job_id}")
        self._client.close()

    # What they do.

    def _run(self, once: Any) -> None:
        while not self._ended.is_set():
            try:
                once()
            except Unanswered:
                continue
            except Exception as error:  # a thread that ends unseen would end the load
                self.complaints.append(f"a user: {error!r}")

    def _store_next(self) -> None:
        due = self._began + self.created / self._per_second
        if self._ended.wait(max(0.0, due - time.monotonic())):
            return
        with self._lock:
            self.created += 1
            lead = timedelta(seconds=self._random.uniform(0.5, 3))
            body = self._body()
        run_at = datetime.now(UTC) + lead
        self._create({**body, "run_at": run_at.isoformat()}, Once(run_at))

    def _create_recurring(self) -> None:
        with self._lock:
            cron, zone = self._random.choice(CRON_LINES), self._random.choice(ZONES)
            body = self._body(path="/between/0.2/5/ok")
        job_id = self._create({**body, "cron": cron, "timezone": zone}, Cron(cron, zone))
        self._recurring[job_id] = Cron(cron, zone)

    def _change_one(self) -> None:
        if self._ended.wait(0.5) or not self._recurring:
            return
        job_id = self._random.choice(sorted(self._recurring))
        match self._random.choice(("edit", "rest", "run", "run", "replace")):
            case "edit":
                cron, zone = self._random.choice(CRON_LINES), self._random.choice(ZONES)
                schedule = Cron(cron, zone)
                self._act("edit", job_id, "PATCH", f"/v1/jobs/{job_id}", {"cron": cron, "timezone": zone}, schedule)
            case "rest":
                self._act("pause", job_id, "POST", f"/v1/jobs/{job_id}/pause")
                self._ended.wait(self._random.uniform(0.1, 3))
                self._act("resume", job_id, "POST", f"/v1/jobs/{job_id}/resume")
            case "run":
                self._act("run", job_id, "POST", f"/v1/jobs/{job_id}/run")
            case "replace":
                del self._recurring[job_id]
                self._act("delete", job_id, "DELETE", f"/v1/jobs/{job_id}")
                self._create_recurring()

    def _body(self, path: str = "") -> dict[str, Any]:
        number = next(self._numbers)
        weights, paths = zip(*PATHS, strict=True)
        chosen = path or self._random.choices(paths, weights)[0]
        return {
            "name": f"job {number}",
            "callback_url": self._fleet.receiver.url(chosen, HOSTS[number % len(HOSTS)]),
            "payload": {"number": number},
            "retry_delays_seconds": self._random.choice(RETRY_DELAYS),
        }

    # How they ask.

    def _create(self, body: dict[str, Any], schedule: Schedule) -> str:
        asked_at = datetime.now(UTC)
        answer = self._ask("POST", "/v1/jobs", body)
        job_id = str(answer["id"])
        self.acts.append(
            Act(
                kind="create",
                job_id=job_id,
                asked_at=asked_at,
                answered_at=datetime.now(UTC),
                schedule=schedule,
                retries=len(body["retry_delays_seconds"]),
            )
        )
        return job_id

    def _act(
        self,
        kind: str,
        job_id: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        asked_at, answered_at, execution_id = datetime.now(UTC), None, None
        try:
            answer = self._ask(method, path, body)
            answered_at = datetime.now(UTC)
            execution_id = str(answer["id"]) if kind == "run" else None
        finally:
            self.acts.append(
                Act(
                    kind=kind,
                    job_id=job_id,
                    asked_at=asked_at,
                    answered_at=answered_at,
                    schedule=schedule,
                    execution_id=execution_id,
                )
            )

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Again and again, under one idempotency key, until it is answered; `Unanswered` when that takes too long."""
        headers = {"idempotency-key": f"key-{next(self._numbers)}"} if method == "POST" else {}
        give_up_at = time.monotonic() + ASKED_AGAIN_FOR
        asked_before = False
        while time.monotonic() < give_up_at:
            try:
                response = self._client.request(method, path, json=body, headers=headers)
            except httpx.HTTPError:
                asked_before = True
            else:
                self._note(method, path, response)
                if response.is_success or (response.status_code == 404 and method == "DELETE" and asked_before):
                    return dict(response.json()) if response.content and response.is_success else {}
                if response.status_code not in (409, 503):
                    raise AssertionError(f"{method} {path} was answered {response.status_code}: {response.text}")
                asked_before = True
            time.sleep(ASKED_AGAIN_EVERY)
        raise Unanswered

    def _note(self, method: str, path: str, response: httpx.Response) -> None:
        shown = response.json().get("id") if response.content else None
        self.answers.append(
            Answer(
                at=datetime.now(UTC),
                method=method,
                path=path,
                status=response.status_code,
                workspace_id=self._fleet.workspace_id,
                ids=frozenset({shown} if isinstance(shown, str) else ()),
                retry_after="retry-after" in response.headers,
            )
        )

"""Users who change jobs at the very moment at which these are planned, claimed and finished."""

from __future__ import annotations

import threading
from datetime import datetime
from random import Random
from typing import Any

import httpx
import pytest

from tests.faults.history import Act, Once
from tests.faults.installation import SCHEDULERS, WORKERS, Installation, ahead, creation
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import allowed, verdict

USERS = 4
ROUNDS = 15


class User:
    """Stores a job that is due at once, and changes it while it is planned, sent and retried."""

    def __init__(self, number: int, installation: Installation, receiver: ScriptedReceiver, rounds: int) -> None:
        self.acts: list[Act] = []
        self.failure: Exception | None = None
        self._random = Random(f"races {number}")
        self._installation = installation
        self._receiver = receiver
        self._pause = threading.Event()
        self._rounds = rounds
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            for _ in range(self._rounds):
                self._round()
        except Exception as failure:
            self.failure = failure

    def _round(self) -> None:
        path = self._random.choice(["/ok", "/slow/0.2", "/fail/1", "/status/500", "/status/410"])
        asked_at = ahead()
        due = ahead(seconds=self._random.uniform(0.05, 0.3))
        job = self._installation.create(run_at=due, callback_url=self._receiver.url(path), retry_delays_seconds=[1, 1])
        self.acts.append(creation(job, asked_at))
        self._pause.wait(self._random.uniform(0, 0.5))
        for _ in range(self._random.randint(1, 5)):
            self._change(job["id"])
        self._ask("DELETE", job["id"], "", "delete")

    def _change(self, job_id: str) -> None:
        match self._random.choice(["pause", "resume", "run", "edit", "reschedule"]):
            case "edit":
                self._ask("PATCH", job_id, "", "edit", {"payload": self._random.random()})
            case "reschedule":
                run_at = ahead(seconds=self._random.uniform(0, 0.3))
                self._ask("PATCH", job_id, "", "edit", {"run_at": run_at.isoformat()}, Once(run_at))
            case verb:
                self._ask("POST", job_id, f"/{verb}", verb)
        self._pause.wait(self._random.choice([0, 0, 0.1]))

    def _ask(
        self, method: str, job_id: str, action: str, kind: str, body: Any = None, schedule: Once | None = None
    ) -> None:
        asked_at: datetime = ahead()
        answer: httpx.Response = self._installation.request(method, f"/v1/jobs/{job_id}{action}", body)
        if answer.status_code == 409:  # what a job that has ended cannot do any more
            return
        if schedule and answer.status_code == 400 and answer.json()["code"] == "invalid_run_at":
            return  # it ran while it was asked to run a moment earlier
        assert answer.is_success, answer.text
        execution_id = str(answer.json()["id"]) if kind == "run" else None
        act = Act(
            kind=kind,
            job_id=job_id,
            asked_at=asked_at,
            answered_at=ahead(),
            schedule=schedule,
            execution_id=execution_id,
        )
        self.acts.append(act)


@pytest.mark.full
def test_users_race_plan_claim_and_finish(
    installation: Installation, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    installation.open(*SCHEDULERS, *WORKERS)
    rounds = 250 if full else ROUNDS
    users = [User(number, installation, scripted_receiver, rounds) for number in range(USERS)]
    for user in users:
        user.thread.start()
    for user in users:
        user.thread.join()
    assert [user.failure for user in users] == [None] * USERS
    acts = [act for user in users for act in user.acts]
    assert len(acts) > 3 * rounds * USERS
    assert verdict(installation, scripted_receiver, acts, lateness=allowed(full, 1.5)) == []

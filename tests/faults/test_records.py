"""The records as they are read: rows of both databases alike, and the receiver's log."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest

from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.engine.planner import plan_job
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, gone, make_due_job, make_job, make_workspace, retry, succeeded
from cronhook_server.composition import Backends, open_backends
from cronhook_server.settings import Settings
from tests.faults.audit import audit_postgres, audit_sqlite
from tests.faults.history import Arrival, Cron, Database, History
from tests.faults.made_history import create
from tests.faults.oracle import judge
from tests.faults.records import gone_acts, in_order, read_postgres, read_receiver_log, read_sqlite

Read = Callable[[], Database]
BEGINNING = NOW - MINUTE / 2


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/c.db"


@pytest.fixture
async def backends(database_url: str) -> AsyncIterator[Backends]:
    async with open_backends(Settings.read({"CRONHOOK_DATABASE_URL": database_url}), Random(1)) as opened:
        yield opened


@pytest.fixture
def read(backends: Backends, database_url: str) -> Read:
    """With the audit on."""
    if database_url.startswith("postgres"):
        audit_postgres(database_url)
        return partial(read_postgres, database_url)
    path = Path(database_url.removeprefix("sqlite:///"))
    audit_sqlite(path)
    return partial(read_sqlite, path)


async def a_minute_of_work(backends: Backends) -> str:
    """A job that is planned once, fails, is retried, and succeeds; its id."""
    store = backends.store
    workspace = await backends.accounts.ensure_workspace(make_workspace())
    job = make_job(workspace.id, created_at=BEGINNING, retry_policy=RetryPolicy(delays=(timedelta(seconds=5), MINUTE)))
    await store.create_job(job, max_jobs=None, now=BEGINNING)
    await store.register_worker("wrk_1", NOW)
    (execution_id,) = await store.plan([plan_job(make_due_job(job), NOW)], NOW)
    (first,) = await store.claim([execution_id], worker_id="wrk_1", now=NOW)
    await store.finish([retry(first, NOW, after=timedelta(seconds=5))], NOW)
    (second,) = await store.claim([execution_id], worker_id="wrk_1", now=NOW + timedelta(seconds=6))
    await store.finish([succeeded(second, NOW + timedelta(seconds=7))], NOW + timedelta(seconds=7))
    return job.id


async def test_rows_are_read_as_they_are(backends: Backends, read: Read) -> None:
    job_id = await a_minute_of_work(backends)
    found = read()
    (job,), (execution,) = found.jobs, found.executions
    assert (job["id"], job["cron"], job["timezone"], job["retries"]) == (job_id, "* * * * *", "UTC", 2)
    assert (job["next_run"], job["planned_through"], job["deleted_at"]) == (NOW + MINUTE, NOW, None)
    assert (execution["trigger"], execution["status"], execution["scheduled_for"]) == ("schedule", "succeeded", NOW)
    assert (execution["attempt_no"], execution["retries_used"], execution["worker_id"]) == (2, 1, None)
    attempts = [(row["attempt_no"], row["outcome"], row["response_status"], row["late"]) for row in found.attempts]
    assert sorted(attempts) == [(1, "http_error", 500, False), (2, "succeeded", 200, False)]
    assert [(row["id"], row["beat"], row["buried_at"]) for row in found.workers] == [("wrk_1", 0, None)]


async def test_every_change_was_written_down(backends: Backends, read: Read) -> None:
    await a_minute_of_work(backends)
    changes = [
        (row["old_status"], row["new_status"], row["old_attempt_no"], row["new_attempt_no"])
        for row in read().transitions
        if (row["job_status"], row["job_deleted_at"]) == ("active", None)
    ]
    assert changes == [
        (None, "queued", None, 0),
        ("queued", "running", 0, 1),
        ("running", "queued", 1, 1),
        ("queued", "running", 1, 2),
        ("running", "succeeded", 2, 2),
    ]


async def test_without_the_audit_there_are_no_changes(backends: Backends, database_url: str) -> None:
    await a_minute_of_work(backends)
    if database_url.startswith("postgres"):
        assert read_postgres(database_url).transitions == ()
    else:
        assert read_sqlite(Path(database_url.removeprefix("sqlite:///"))).transitions == ()


async def test_the_oracle_accepts_what_the_stores_do(backends: Backends, read: Read) -> None:
    job_id = await a_minute_of_work(backends)
    found = read()
    arrivals = [
        Arrival(
            execution_id=row["execution_id"],
            attempt_no=row["attempt_no"],
            job_id=job_id,
            scheduled_for=row["scheduled_for"],
            received_at=row["started_at"],
            status=row["response_status"],
            answered_at=row["started_at"],
        )
        for row in found.attempts
    ]
    history = History(
        acts=[create(job_id, Cron("* * * * *"), BEGINNING)],
        database=found,
        arrivals=arrivals,
        taken_at=NOW + timedelta(seconds=10),
    )
    assert judge(history) == []
    assert {
        violation.invariant
        for violation in judge(
            History(acts=history.acts, database=found, arrivals=arrivals, taken_at=NOW + timedelta(seconds=70))
        )
    } == {"I1"}


async def test_a_410_is_an_act(backends: Backends, read: Read) -> None:
    store: JobStore = backends.store
    job_id = await a_minute_of_work(backends)
    assert gone_acts(read()) == []
    job = await store.get_job(read().jobs[0]["workspace_id"], job_id)
    assert job is not None
    later = NOW + MINUTE
    (execution_id,) = await store.plan([plan_job(make_due_job(job), later)], later)
    (claim,) = await store.claim([execution_id], worker_id="wrk_1", now=later)
    await store.finish([gone(claim, later + timedelta(seconds=1))], later + timedelta(seconds=1))
    (act,) = gone_acts(read())
    assert (act.kind, act.job_id, act.asked_at, act.answered_at) == (
        *("gone", job_id, later),
        later + timedelta(seconds=1),
    )
    created = create(job_id, Cron("* * * * *"), BEGINNING)
    assert in_order([act], [created]) == [created, act]


def test_the_receivers_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "receiver.jsonl"
    sent = '"webhook_id": "exe_1", "job_id": "job_1", "scheduled_for": "2026-03-02T12:00:00Z"'
    log.write_text(
        f'{{"arrival": "7-0", {sent}, "attempt": 1, "received_at": "2026-03-02T12:00:00.010000+00:00"}}\n'
        f'{{"arrival": "7-1", {sent}, "attempt": 2, "received_at": "2026-03-02T12:00:01+00:00"}}\n'
        '{"answer": "7-1", "status": 200, "answered_at": "2026-03-02T12:00:02+00:00"}\n'
        '{"end": "7-1", "fate": "answered"}\n'
        '{"end": "7-0", "fate": "clo'
    )
    sent_first, sent_next = read_receiver_log(log)
    assert (sent_first.attempt_no, sent_first.status, sent_first.answered_at, sent_first.fate) == (
        *(1, None, None),
        "unknown",
    )
    assert sent_first.received_at == NOW + timedelta(milliseconds=10)
    assert (sent_next.execution_id, sent_next.attempt_no, sent_next.job_id, sent_next.scheduled_for) == (
        *("exe_1", 2, "job_1"),
        NOW,
    )
    assert (sent_next.status, sent_next.answered_at, sent_next.fate) == (200, NOW + timedelta(seconds=2), "answered")

"""Every route through the clients, against the real server."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from cronhook_client import (
    AsyncCronhook,
    BadRequest,
    Conflict,
    Cronhook,
    Forbidden,
    IdempotencyMismatch,
    NotFound,
    QuotaExceeded,
    Unauthenticated,
    Webhook,
)
from cronhook_client.models import ExecutionStatus, JobRead, JobStatus, LogRow, Outcome, Scope
from tests.integration.client.running_server import RunningServer
from tests.receiver import Receiver

T = TypeVar("T")

URL = "https://example.com/hook"


def until(found: Callable[[], T | None], timeout: float = 20.0) -> T:
    """What `found` finds, asked again and again until it does."""
    limit = time.monotonic() + timeout
    while time.monotonic() < limit:
        if (value := found()) is not None:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"nothing within {timeout} s")


def daily(client: Cronhook, name: str = "report", **fields: object) -> JobRead:
    return client.jobs.create(name=name, callback_url=URL, cron="0 9 * * *", **fields)  # type: ignore[arg-type]


class TestJobs:
    def test_all_that_is_written_is_read(self, client: Cronhook) -> None:
        job = client.jobs.create(
            name="report",
            callback_url=URL,
            cron="0 9 * * *",
            timezone="Europe/Berlin",
            payload={"ä": [1, 2.5, None, True]},
            headers={"authorization": "Bearer secret", "accept": "*/*"},
            timeout_seconds=2.5,
            retry_delays_seconds=[1, 2],
            tags=["a"],
            metadata={"k": "v"},
        )
        assert (job.name, job.callback_url, job.cron, job.timezone) == ("report", URL, "0 9 * * *", "Europe/Berlin")
        assert job.payload == {"ä": [1, 2.5, None, True]}
        assert job.headers == {"authorization": "***", "accept": "*/*"}
        assert (job.timeout_seconds, job.retry_delays_seconds) == (2.5, (1, 2))
        assert (job.tags, job.metadata) == (("a",), {"k": "v"})
        assert (job.status, job.inactive_reason, job.last_run) == (JobStatus.ACTIVE, None, None)
        assert job.next_run is not None
        assert job.next_run.utcoffset() == timedelta(0)
        assert client.jobs.get(job.id) == job

    def test_the_servers_defaults_hold(self, client: Cronhook) -> None:
        job = daily(client)
        assert (job.timezone, job.timeout_seconds, job.retry_delays_seconds) == ("UTC", 10, (30, 120, 600))
        assert (job.payload, job.headers, job.tags, job.metadata) == (None, {}, (), {})

    def test_changes_keep_the_rest(self, client: Cronhook) -> None:
        job = daily(client, payload=[1], headers={"x-token": "secret"}, tags=["a", "b"])
        named = client.jobs.update(job.id, name="other", headers={"x-token": "***"}, tags=[])
        assert (named.name, named.tags, named.payload, named.cron) == ("other", (), [1], "0 9 * * *")
        once = client.jobs.update(job.id, run_at=datetime.now(UTC) + timedelta(days=1), payload=None)
        assert (once.cron, once.timezone, once.payload) == (None, None, None)
        assert once.next_run == once.run_at
        assert client.jobs.update(job.id) == once

    def test_pause_resume_run_and_delete(self, client: Cronhook) -> None:
        job = daily(client)
        assert client.jobs.pause(job.id).status is JobStatus.PAUSED
        execution = client.jobs.run(job.id)
        assert (execution.job_id, execution.trigger) == (job.id, "manual")
        assert client.jobs.resume(job.id).status is JobStatus.ACTIVE
        client.jobs.delete(job.id)
        with pytest.raises(NotFound) as missing:
            client.jobs.get(job.id)
        assert missing.value.code == "not_found"
        assert missing.value.request_id is not None
        assert missing.value.request_id.startswith("req_")
        with pytest.raises(NotFound):
            client.jobs.delete(job.id)

    def test_lists_go_over_pages(self, client: Cronhook) -> None:
        for number in range(5):
            daily(client, f"job {number}", tags=["even" if number % 2 == 0 else "odd"])
        assert len([job.name for job in client.jobs.list(limit=2)]) == 5
        assert {job.name for job in client.jobs.list(tag="odd", limit=1)} == {"job 1", "job 3"}
        assert [job.name for job in client.jobs.list(q="JOB 4", status="active")] == ["job 4"]
        first = client.jobs.page(limit=3)
        second = client.jobs.page(limit=3, cursor=first.next_cursor)
        assert (len(first.data), len(second.data), second.next_cursor) == (3, 2, None)

    def test_refusals_name_every_field(self, client: Cronhook) -> None:
        with pytest.raises(BadRequest) as refused:
            client.jobs.create(name="n", callback_url=URL, cron="0 9 * * *", tags=[""], timeout_seconds=1e12)
        assert refused.value.code == "invalid_request"
        assert {item.pointer for item in refused.value.errors} == {"/tags/0", "/timeout_seconds"}
        with pytest.raises(BadRequest) as refused:
            client.jobs.create(name="n", callback_url=URL, cron="60 * * * *")
        assert (refused.value.code, [item.pointer for item in refused.value.errors]) == ("invalid_cron", ["/cron"])

    def test_an_inactive_job_cannot_be_resumed(self, client: Cronhook, receiver: Receiver) -> None:
        job = client.jobs.create(name="once", callback_url=receiver.url("/"), run_at=datetime.now(UTC))
        until(lambda: client.jobs.get(job.id).status is JobStatus.INACTIVE or None)
        with pytest.raises(Conflict):
            client.jobs.resume(job.id)

    def test_the_quota(self, client: Cronhook) -> None:
        limit = client.workspace.get().limits.max_jobs
        assert limit is not None
        for _ in range(limit):
            daily(client)
        with pytest.raises(QuotaExceeded) as refused:
            daily(client)
        assert refused.value.retry_after is not None
        assert client.workspace.get().usage.jobs == limit


class TestIdempotency:
    def test_the_same_key_makes_one_job(self, client: Cronhook) -> None:
        first, second = daily(client, idempotency_key="k"), daily(client, idempotency_key="k")
        assert first == second
        with pytest.raises(IdempotencyMismatch):
            daily(client, "another", idempotency_key="k")
        assert len(list(client.jobs.list())) == 1

    def test_calls_without_one_are_calls_of_their_own(self, client: Cronhook) -> None:
        assert daily(client).id != daily(client).id


class TestExecutions:
    def test_from_the_job_to_its_log(self, client: Cronhook, receiver: Receiver) -> None:
        job = client.jobs.create(
            name="flaky",
            callback_url=receiver.url("/status/500"),
            run_at=datetime.now(UTC),
            payload={"n": 1},
            retry_delays_seconds=[],
        )

        def ended() -> list[LogRow] | None:
            rows = list(client.logs.list(job.id))
            return rows if rows and rows[0].outcome is not None else None

        (row,) = until(ended)
        assert (row.status, row.outcome, row.attempt, row.response_status) == ("failed", Outcome.HTTP_ERROR, 1, 500)
        until(lambda: client.executions.page(job.id, status="failed").data or None)
        (execution,) = client.executions.list(job.id)
        assert (execution.status, execution.attempts) == (ExecutionStatus.FAILED, 1)
        detail = client.executions.get(execution.id)
        assert (detail.id, detail.logs) == (execution.id, (row,))
        assert client.logs.page(job.id, order="asc", offset=0, limit=1).total == 1
        replayed = client.executions.replay(execution.id)
        assert (replayed.trigger, replayed.job_id) == ("replay", job.id)
        with pytest.raises(Conflict):
            client.executions.cancel(execution.id)
        assert {run.id for run in client.executions.list(job.id, limit=1)} == {execution.id, replayed.id}

    def test_a_queued_one_can_be_cancelled(self, client: Cronhook, receiver: Receiver) -> None:
        """Its first attempt fails, and the next one is a day away."""
        job = client.jobs.create(
            name="waits", callback_url=receiver.url("/status/500"), cron="@yearly", retry_delays_seconds=[86_400]
        )
        execution = client.jobs.run(job.id)
        receiver.wait_for(1)
        until(lambda: client.executions.page(job.id, status="queued").data or None)
        assert client.executions.cancel(execution.id).status is ExecutionStatus.CANCELLED


class TestWebhooks:
    def test_what_is_received_is_verified(self, client: Cronhook, receiver: Receiver) -> None:
        webhook = Webhook(client.workspace.signing_secret().secret)
        job = client.jobs.create(
            name="signed", callback_url=receiver.url("/"), run_at=datetime.now(UTC), payload={"ü": None}
        )
        (arrival,) = receiver.wait_for(1)
        delivery = webhook.verify(arrival.body, arrival.headers)
        (execution,) = client.executions.list(job.id)
        assert delivery.execution_id == execution.id
        assert (delivery.job_id, delivery.attempt, delivery.json()) == (job.id, 1, {"ü": None})
        assert delivery.scheduled_for == execution.scheduled_for

    def test_both_secrets_hold_while_one_is_replaced(self, client: Cronhook, receiver: Receiver) -> None:
        old = client.workspace.signing_secret()
        new = client.workspace.rotate_signing_secret(grace_seconds=3600)
        assert new.version == old.version + 1
        assert new.previous_expires_at is not None
        client.jobs.create(name="signed", callback_url=receiver.url("/"), run_at=datetime.now(UTC))
        (arrival,) = receiver.wait_for(1)
        for secret in (old.secret, new.secret):
            assert Webhook(secret).verify(arrival.body, arrival.headers).json() is None


class TestKeys:
    def test_made_used_rotated_and_revoked(self, client: Cronhook) -> None:
        made = client.keys.create(name="reader", scopes=["read"], expires_at=datetime.now(UTC) + timedelta(days=1))
        reader = client.with_options(api_key=made.key)
        assert made.scopes == (Scope.READ,)
        assert list(reader.jobs.list()) == []
        with pytest.raises(Forbidden):
            daily(reader)
        rotated = client.keys.rotate(made.id)
        assert client.with_options(api_key=rotated.key).workspace.get().usage.jobs == 0
        with pytest.raises(Unauthenticated):
            reader.workspace.get()
        client.keys.revoke(rotated.id)
        listed = {key.id: key for key in client.keys.list().data}
        assert {made.id, rotated.id} <= listed.keys()
        assert listed[rotated.id].revoked_at is not None

    def test_a_scope_that_is_missing(self, server: RunningServer) -> None:
        reader = Cronhook(server.new_key("scopes", Scope.READ), base_url=server.url)
        with reader, pytest.raises(Forbidden):
            reader.workspace.signing_secret()


def test_previews_store_nothing(client: Cronhook) -> None:
    preview = client.schedules.preview(
        cron="30 2 * * *", timezone="Europe/Berlin", after=datetime(2026, 3, 28, 11, tzinfo=UTC), count=2
    )
    assert [found.at for found in preview.data] == [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
    ]
    assert "falls_into_gap" in {warning.code for warning in preview.warnings}
    assert list(client.jobs.list()) == []


def test_health_needs_no_valid_key(server: RunningServer) -> None:
    with Cronhook("chk_wrong", base_url=server.url, max_retries=0) as client:
        assert client.health.check().status == "ok"
        assert client.health.live().status == "ok"
        assert client.health.ready().status == "ok"


def test_the_whole_answer(client: Cronhook) -> None:
    response = client.raw(client.jobs.create, name="raw", callback_url=URL, cron="@daily")
    assert response.status == 201
    assert response.headers["location"] == f"/v1/jobs/{response.value.id}"
    assert response.request_id == response.headers["x-request-id"]


async def test_the_asynchronous_client(async_client: AsyncCronhook, receiver: Receiver) -> None:
    created = [
        await async_client.jobs.create(name=f"job {n}", callback_url=receiver.url("/"), cron="0 9 * * *")
        for n in range(3)
    ]
    assert {job.id async for job in async_client.jobs.list(limit=2)} == {job.id for job in created}
    execution = await async_client.jobs.run(created[0].id)
    await receiver.arrived(1)
    webhook = Webhook((await async_client.workspace.signing_secret()).secret)
    (arrival,) = receiver.arrivals
    assert webhook.verify(arrival.body, arrival.headers).execution_id == execution.id
    response = await async_client.raw(async_client.jobs.get, created[0].id)
    assert (response.status, response.value.name) == (200, "job 0")
    await async_client.jobs.delete(created[0].id)
    with pytest.raises(NotFound):
        await async_client.jobs.get(created[0].id)
    assert (await async_client.health.check()).status == "ok"

"""The SDK as a user's program has it. Never run: a strict type check reads it.

What must be refused carries a `type: ignore`, which the check refuses in its turn where it is not needed.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from cronhook_client import (
    ApiError,
    AsyncCronhook,
    BadRequest,
    ConnectionFailed,
    Cronhook,
    CronhookError,
    Delivery,
    QuotaExceeded,
    Response,
    Webhook,
    WebhookVerificationError,
)
from cronhook_client.exchange import AsyncTransport, Headers, HttpAnswer, HttpRequest, Transport
from cronhook_client.models import (
    ExecutionDetail,
    ExecutionPage,
    ExecutionRead,
    ExecutionStatus,
    Health,
    JobPage,
    JobRead,
    JobStatus,
    KeyList,
    KeyMade,
    LogPage,
    LogRow,
    Outcome,
    PreviewRead,
    ProblemItem,
    Scope,
    SigningSecretRead,
    WorkspaceRead,
)
from cronhook_client.not_given import NOT_GIVEN, NotGiven
from cronhook_client.pages import AsyncPages, Pages
from cronhook_client.seen import AsyncSeen, Seen, SeenInMemory, Sighting

AT = datetime(2030, 1, 31, tzinfo=UTC)


def jobs(client: Cronhook) -> None:
    job = client.jobs.create(
        name="report",
        callback_url="https://app.example/report",
        cron="0 9 * * 1-5",
        timezone="Europe/Berlin",
        payload={"numbers": [1, 2.5, None], "deep": {"a": (1, 2)}},
        headers={"x-team": "a"},
        timeout_seconds=2,
        retry_delays_seconds=[30, 120.5],
        tags=("a", "b"),
        metadata={"k": "v"},
        idempotency_key="k",
    )
    assert_type(job, JobRead)
    assert_type(job.next_run, datetime | None)
    assert_type(job.status, JobStatus)
    assert_type(job.last_run_status, ExecutionStatus | None)
    assert_type(job.headers, Mapping[str, str])
    assert_type(job.retry_delays_seconds, tuple[float, ...])
    client.jobs.create(name="once", callback_url="https://app.example/once", run_at=AT)
    assert_type(client.jobs.list(status="paused"), Pages[JobRead, JobPage])
    for listed in client.jobs.list(status=JobStatus.ACTIVE, tag="a", q="report", limit=10):
        assert_type(listed, JobRead)
    for page in client.jobs.list().pages():
        assert_type(page, JobPage)
        assert_type(client.jobs.page(cursor=page.next_cursor), JobPage)
    changed: str | NotGiven = NOT_GIVEN
    assert_type(client.jobs.update(job.id, name=changed, cron=None, run_at=AT, payload=None), JobRead)
    assert_type(client.jobs.pause(job.id), JobRead)
    assert_type(client.jobs.resume(job.id), JobRead)
    assert_type(client.jobs.run(job.id, idempotency_key="k"), ExecutionRead)
    client.jobs.delete(job.id)


def others(client: Cronhook) -> None:
    for execution in client.executions.list("job_1", status="failed"):
        assert_type(execution, ExecutionRead)
    assert_type(client.executions.page("job_1", status=ExecutionStatus.QUEUED), ExecutionPage)
    detail = client.executions.get("exe_1")
    assert_type(detail, ExecutionDetail)
    assert_type(detail.logs, tuple[LogRow, ...])
    assert_type(client.executions.cancel("exe_1"), ExecutionRead)
    assert_type(client.executions.replay("exe_1"), ExecutionRead)
    for row in client.logs.list("job_1", status="late_failed", order="asc"):
        assert_type(row, LogRow)
        assert_type(row.outcome, Outcome | None)
    assert_type(client.logs.page("job_1", offset=10, limit=5), LogPage)
    assert_type(client.schedules.preview(cron="@daily", after=AT, count=3), PreviewRead)
    key = client.keys.create(name="deploy", scopes=["read", Scope.WRITE], expires_at=AT + timedelta(days=1))
    assert_type(key, KeyMade)
    assert_type(key.key, str)
    assert_type(client.keys.list(), KeyList)
    assert_type(client.keys.rotate(key.id, grace_seconds=60), KeyMade)
    client.keys.revoke(key.id)
    assert_type(client.workspace.get(), WorkspaceRead)
    assert_type(client.workspace.signing_secret(), SigningSecretRead)
    assert_type(client.workspace.rotate_signing_secret(), SigningSecretRead)
    assert_type(client.health.check(), Health)
    assert_type(client.health.ready(), Health)
    assert_type(client.health.live(), Health)
    assert_type(client.health.metrics(), str)
    assert_type(client.health.openapi(), dict[str, Any])


def options() -> None:
    with Cronhook(api_key="chk_1", base_url="https://cronhook.example", timeout=5, max_retries=0) as client:
        assert_type(client, Cronhook)
        assert_type(client.with_options(timeout=1.5), Cronhook)
        response = client.raw(client.jobs.page, tag="a", limit=5)
        assert_type(response, Response[JobPage])
        assert_type(response.headers, Headers)
        assert_type(response.request_id, str | None)
        client.raw(client.jobs.get, 7)  # type: ignore[arg-type]
        client.raw(client.jobs.page, limt=5)  # type: ignore[call-arg]


def errors(client: Cronhook) -> None:
    try:
        client.jobs.get("job_1")
    except QuotaExceeded as error:
        assert_type(error.retry_after, float | None)
    except BadRequest as error:
        assert_type(error.errors, tuple[ProblemItem, ...])
    except ApiError as error:
        assert_type(error.code, str)
        assert_type(error.status, int)
        assert_type(error.request_id, str | None)
    except ConnectionFailed as error:
        assert_type(error.sent, bool)
    except CronhookError as error:
        assert_type(error.code, str)


def mistakes(client: Cronhook) -> None:
    client.jobs.create(name="n")  # type: ignore[call-arg]
    client.jobs.create("n", "https://app.example/")  # type: ignore[call-arg]
    client.jobs.create(name="n", callback_url="u", run_at="2030-01-31")  # type: ignore[arg-type]
    client.jobs.create(name="n", callback_url="u", crom="@daily")  # type: ignore[call-arg]
    client.jobs.list(status="stopped")  # type: ignore[arg-type]
    client.jobs.update("job_1", name=None)  # type: ignore[arg-type]
    client.logs.list("job_1", order="up")  # type: ignore[arg-type]
    client.keys.create(name="n", scopes=["root"])  # type: ignore[list-item]
    client.jobs.get("job_1").name = "other"  # type: ignore[misc]


async def asynchronous() -> None:
    async with AsyncCronhook() as client:
        assert_type(client, AsyncCronhook)
        job = await client.jobs.create(name="report", callback_url="https://app.example/report", cron="@daily")
        assert_type(job, JobRead)
        assert_type(client.jobs.list(), AsyncPages[JobRead, JobPage])
        async for listed in client.jobs.list():
            assert_type(listed, JobRead)
        async for page in client.jobs.list().pages():
            assert_type(page, JobPage)
        async for row in client.logs.list(job.id):
            assert_type(row, LogRow)
        async for execution in client.executions.list(job.id):
            assert_type(execution, ExecutionRead)
        assert_type(await client.raw(client.jobs.get, job.id), Response[JobRead])
        assert_type(await client.with_options(max_retries=0).jobs.run(job.id), ExecutionRead)
        client.jobs.get(job.id).name  # type: ignore[attr-defined]  # noqa: B018


def receiving(body: bytes, headers: Mapping[str, str]) -> Delivery | None:
    webhook = Webhook(["whsec_new", "whsec_old"], tolerance=timedelta(minutes=1))
    try:
        delivery = webhook.verify(body, headers)
    except WebhookVerificationError:
        return None
    assert_type(delivery.execution_id, str)
    assert_type(delivery.timestamp, datetime)
    assert_type(delivery.attempt, int | None)
    assert_type(webhook.sign(b"null"), dict[str, str])
    webhook.verify({"parsed": True}, headers)  # type: ignore[arg-type]
    return delivery


class OwnTransport:
    def send(self, request: HttpRequest, /) -> HttpAnswer:
        return HttpAnswer(status=200, headers=Headers([("x-request-id", request.method)]), body=b"{}")

    def close(self) -> None: ...


class OwnAsyncTransport:
    async def send(self, request: HttpRequest, /) -> HttpAnswer:
        return OwnTransport().send(request)

    async def close(self) -> None: ...


class OwnSeen:
    async def begin(self, execution_id: str) -> Sighting:
        return Sighting.NEW

    async def end(self, execution_id: str, *, handled: bool) -> None: ...


transport: Transport = OwnTransport()
async_transport: AsyncTransport = OwnAsyncTransport()
seen: Seen = SeenInMemory()
async_seen: AsyncSeen = OwnSeen()
client = Cronhook("k", transport=transport)
async_client = AsyncCronhook("k", transport=async_transport)


def names(client: Cronhook) -> Iterator[str]:
    return (job.name for job in client.jobs.list())


async def async_names(client: AsyncCronhook) -> AsyncIterator[str]:
    async for job in client.jobs.list():
        yield job.name

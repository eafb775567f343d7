"""What every method of both clients asks for, and what it makes of the answer."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from inspect import isawaitable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from cronhook_client import ApiError, AsyncCronhook, Cronhook
from cronhook_client._routes import ROUTES
from cronhook_client.exchange import HttpAnswer, HttpRequest
from cronhook_client.models import (
    ExecutionDetail,
    ExecutionPage,
    ExecutionRead,
    Health,
    JobPage,
    JobRead,
    JobStatus,
    KeyList,
    KeyMade,
    LogPage,
    PreviewRead,
    Scope,
    SigningSecretRead,
    WorkspaceRead,
)
from tests.unit.client.bodies import (
    EXECUTION,
    HEALTH,
    JOB,
    KEY,
    KEY_MADE,
    LOG_ROW,
    PREVIEW,
    SECRET,
    WORKSPACE,
    log_page_of,
    page_of,
)
from tests.unit.client.scripted_transport import AsyncScriptedTransport, ScriptedTransport, answer, problem

NOON_IN_DELHI = datetime(2030, 1, 31, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
NAIVE = datetime(2030, 1, 1)  # noqa: DTZ001 - what is to be refused
NOON_IN_UTC = "2030-01-31T06:30:00Z"

Ask = Callable[[Any], Any]

CREATED = {
    "name": "report",
    "callback_url": "https://app.example/report",
    "cron": "0 9 * * *",
    "timezone": "Europe/Berlin",
    "payload": {"ä": [1.5, None]},
    "headers": {"x-team": "a"},
    "timeout_seconds": 2.5,
    "retry_delays_seconds": (1, 2),
    "tags": ("a", "b"),
    "metadata": {"k": "v"},
}

# What is asked of a client, the request line, the JSON body, and the answer with what is made of it.
CALLS: list[tuple[Ask, str, Any, HttpAnswer, type]] = [
    (
        lambda c: c.jobs.create(**CREATED),
        "POST /v1/jobs",
        CREATED | {"retry_delays_seconds": [1, 2], "tags": ["a", "b"]},
        answer(201, JOB),
        JobRead,
    ),
    (
        lambda c: c.jobs.create(name="once", callback_url="https://app.example/", run_at=NOON_IN_DELHI),
        "POST /v1/jobs",
        {"name": "once", "callback_url": "https://app.example/", "run_at": NOON_IN_UTC},
        answer(201, JOB),
        JobRead,
    ),
    (lambda c: c.jobs.page(), "GET /v1/jobs", None, answer(200, page_of(JOB)), JobPage),
    (
        lambda c: c.jobs.page(status=JobStatus.PAUSED, tag="a b", q="ü&", include="payload", limit=7, cursor="x="),
        "GET /v1/jobs?status=paused&tag=a+b&q=%C3%BC%26&include=payload&limit=7&cursor=x%3D",
        None,
        answer(200, page_of()),
        JobPage,
    ),
    (lambda c: c.jobs.get("job_1"), "GET /v1/jobs/job_1", None, answer(200, JOB), JobRead),
    (
        lambda c: c.jobs.update("job_1", payload=None, timezone=None, tags=[], run_at=NOON_IN_DELHI),
        "PATCH /v1/jobs/job_1",
        {"payload": None, "timezone": None, "tags": [], "run_at": NOON_IN_UTC},
        answer(200, JOB),
        JobRead,
    ),
    (
        lambda c: c.jobs.update("job_1", **CREATED),
        "PATCH /v1/jobs/job_1",
        CREATED | {"retry_delays_seconds": [1, 2], "tags": ["a", "b"]},
        answer(200, JOB),
        JobRead,
    ),
    (lambda c: c.jobs.delete("job_1"), "DELETE /v1/jobs/job_1", None, answer(204), type(None)),
    (lambda c: c.jobs.pause("job_1"), "POST /v1/jobs/job_1/pause", None, answer(200, JOB), JobRead),
    (lambda c: c.jobs.resume("job_1"), "POST /v1/jobs/job_1/resume", None, answer(200, JOB), JobRead),
    (lambda c: c.jobs.run("job_1"), "POST /v1/jobs/job_1/run", None, answer(202, EXECUTION), ExecutionRead),
    (
        lambda c: c.logs.page("job_1", status="late_failed", order="asc", offset=10, limit=5),
        "GET /v1/jobs/job_1/logs?status=late_failed&order=asc&offset=10&limit=5",
        None,
        answer(200, log_page_of(LOG_ROW, total=1)),
        LogPage,
    ),
    (
        lambda c: c.executions.page("job_1", status="failed", limit=5, cursor="c"),
        "GET /v1/jobs/job_1/executions?status=failed&limit=5&cursor=c",
        None,
        answer(200, page_of(EXECUTION)),
        ExecutionPage,
    ),
    (
        lambda c: c.executions.get("exe_1"),
        "GET /v1/executions/exe_1",
        None,
        answer(200, EXECUTION | {"logs": [LOG_ROW]}),
        ExecutionDetail,
    ),
    (
        lambda c: c.executions.cancel("exe_1"),
        "POST /v1/executions/exe_1/cancel",
        None,
        answer(200, EXECUTION),
        ExecutionRead,
    ),
    (
        lambda c: c.executions.replay("exe_1"),
        "POST /v1/executions/exe_1/replay",
        None,
        answer(202, EXECUTION),
        ExecutionRead,
    ),
    (
        lambda c: c.schedules.preview(cron="@daily", timezone="UTC", after=NOON_IN_DELHI, count=3),
        "POST /v1/schedules/preview",
        {"cron": "@daily", "timezone": "UTC", "after": NOON_IN_UTC, "count": 3},
        answer(200, PREVIEW),
        PreviewRead,
    ),
    (
        lambda c: c.schedules.preview(run_at=NOON_IN_DELHI),
        "POST /v1/schedules/preview",
        {"run_at": NOON_IN_UTC},
        answer(200, PREVIEW),
        PreviewRead,
    ),
    (
        lambda c: c.keys.create(name="deploy", scopes=[Scope.READ, "write"], expires_at=NOON_IN_DELHI),
        "POST /v1/keys",
        {"name": "deploy", "scopes": ["read", "write"], "expires_at": NOON_IN_UTC},
        answer(201, KEY_MADE),
        KeyMade,
    ),
    (lambda c: c.keys.list(), "GET /v1/keys", None, answer(200, page_of(KEY)), KeyList),
    (lambda c: c.keys.revoke("key_1"), "DELETE /v1/keys/key_1", None, answer(204), type(None)),
    (lambda c: c.keys.rotate("key_1"), "POST /v1/keys/key_1/rotate", {}, answer(201, KEY_MADE), KeyMade),
    (
        lambda c: c.keys.rotate("key_1", grace_seconds=60),
        "POST /v1/keys/key_1/rotate",
        {"grace_seconds": 60},
        answer(201, KEY_MADE),
        KeyMade,
    ),
    (lambda c: c.workspace.get(), "GET /v1/workspace", None, answer(200, WORKSPACE), WorkspaceRead),
    (
        lambda c: c.workspace.signing_secret(),
        "GET /v1/workspace/signing-secret",
        None,
        answer(200, SECRET),
        SigningSecretRead,
    ),
    (
        lambda c: c.workspace.rotate_signing_secret(grace_seconds=0),
        "POST /v1/workspace/signing-secret/rotate",
        {"grace_seconds": 0},
        answer(200, SECRET),
        SigningSecretRead,
    ),
    (lambda c: c.health.check(), "GET /health", None, answer(200, HEALTH), Health),
    (lambda c: c.health.check(), "GET /health", None, answer(500, HEALTH | {"status": "failing"}), Health),
    (lambda c: c.health.live(), "GET /livez", None, answer(200, {"status": "ok", "checks": []}), Health),
    (lambda c: c.health.ready(), "GET /readyz", None, answer(200, HEALTH | {"status": "degraded"}), Health),
    (lambda c: c.health.ready(), "GET /readyz", None, answer(503, HEALTH | {"status": "failing"}), Health),
    (lambda c: c.health.metrics(), "GET /metrics", None, HttpAnswer(status=200, body="# µ\n".encode()), str),
    (lambda c: c.health.openapi(), "GET /openapi.json", None, answer(200, {"openapi": "3.1.0"}), dict),
]


@pytest.mark.parametrize(("ask", "line", "body", "answered", "kind"), CALLS, ids=[line for _, line, *_ in CALLS])
async def test_both_clients_ask_the_same_and_read_the_same(
    ask: Ask, line: str, body: Any, answered: HttpAnswer, kind: type
) -> None:
    transport, async_transport = ScriptedTransport(answered), AsyncScriptedTransport(answered)
    value = ask(Cronhook("chk_1", base_url="https://host/base/", transport=transport))
    async_value = ask(AsyncCronhook("chk_1", base_url="https://host/base/", transport=async_transport))
    assert isawaitable(async_value)
    assert value == await async_value
    assert type(value) is kind
    for request in (*transport.requests, *async_transport.requests):
        assert f"{request.method} {request.url.removeprefix('https://host/base')}" == line
        assert (json.loads(request.body) if request.body is not None else None) == body
    assert len(transport.requests) == len(async_transport.requests) == 1


def test_the_table_has_every_route() -> None:
    asked = {(line.split()[0], urlsplit(line.split()[1]).path) for _, line, *_ in CALLS}
    example = {"job_id": "job_1", "execution_id": "exe_1", "key_id": "key_1"}
    assert asked == {(route.method, route.path.format(**example)) for route in ROUTES}


def asked_of(ask: Ask, answered: HttpAnswer) -> HttpRequest:
    transport = ScriptedTransport(answered)
    ask(Cronhook("chk_1", transport=transport, timeout=7))
    return transport.requests[0]


class TestHeaders:
    def test_the_key_is_sent_under_v1_only(self) -> None:
        assert asked_of(lambda c: c.jobs.get("job_1"), answer(200, JOB)).headers["x-api-key"] == "chk_1"
        for ask in (lambda c: c.health.check(), lambda c: c.health.live(), lambda c: c.health.ready()):
            assert "x-api-key" not in asked_of(ask, answer(200, HEALTH)).headers

    def test_a_body_says_that_it_is_json(self) -> None:
        assert "content-type" not in asked_of(lambda c: c.jobs.pause("job_1"), answer(200, JOB)).headers
        created = asked_of(lambda c: c.jobs.create(**CREATED), answer(201, JOB))
        assert created.headers["content-type"] == "application/json"

    def test_who_is_asking(self) -> None:
        assert (
            asked_of(lambda c: c.workspace.get(), answer(200, WORKSPACE)).headers["user-agent"].startswith("cronhook")
        )

    def test_the_timeout_goes_along(self) -> None:
        assert asked_of(lambda c: c.workspace.get(), answer(200, WORKSPACE)).timeout == 7

    @pytest.mark.parametrize(
        ("ask", "answered"),
        [
            (lambda c, **kw: c.jobs.create(**CREATED, **kw), answer(201, JOB)),
            (lambda c, **kw: c.jobs.pause("job_1", **kw), answer(200, JOB)),
            (lambda c, **kw: c.jobs.resume("job_1", **kw), answer(200, JOB)),
            (lambda c, **kw: c.jobs.run("job_1", **kw), answer(202, EXECUTION)),
            (lambda c, **kw: c.executions.cancel("exe_1", **kw), answer(200, EXECUTION)),
            (lambda c, **kw: c.executions.replay("exe_1", **kw), answer(202, EXECUTION)),
        ],
    )
    def test_idempotency_keys_are_given_or_made(self, ask: Callable[..., Any], answered: HttpAnswer) -> None:
        given = asked_of(lambda c: ask(c, idempotency_key="mine"), answered)
        assert given.headers["idempotency-key"] == "mine"
        made = {asked_of(ask, answered).headers["idempotency-key"] for _ in range(10)}
        assert len(made) == 10

    @pytest.mark.parametrize("key", ["", "order 7", "order 7\n", "é", "x" * 256])
    def test_an_idempotency_key_that_cannot_be_sent_is_refused(self, key: str) -> None:
        """An empty one is a variable that was not set: one made in its place would let things be done twice."""
        with pytest.raises(ValueError, match="1 to 255 visible ASCII characters"):
            asked_of(lambda c: c.jobs.run("job_1", idempotency_key=key), answer(202, EXECUTION))

    def test_no_repr_has_a_body(self) -> None:
        """Bodies hold keys, signing secrets and secret headers."""
        request = asked_of(lambda c: c.jobs.create(**CREATED | {"payload": "canary"}), answer(201, JOB))
        assert request.body is not None
        assert b"canary" in request.body
        assert "canary" not in repr(request)
        assert "canary" not in repr(answer(200, {"secret": "canary"}))

    @pytest.mark.parametrize(
        ("ask", "answered"),
        [
            (lambda c: c.keys.create(name="k", scopes=["read"]), answer(201, KEY_MADE)),
            (lambda c: c.keys.rotate("key_1"), answer(201, KEY_MADE)),
            (lambda c: c.workspace.rotate_signing_secret(), answer(200, SECRET)),
            (lambda c: c.schedules.preview(cron="@daily"), answer(200, PREVIEW)),
            (lambda c: c.jobs.update("job_1"), answer(200, JOB)),
        ],
    )
    def test_there_is_none_where_the_api_takes_none(self, ask: Ask, answered: HttpAnswer) -> None:
        assert "idempotency-key" not in asked_of(ask, answered).headers


class TestArguments:
    def test_an_id_cannot_leave_its_place(self) -> None:
        request = asked_of(lambda c: c.jobs.get("..?x=1#ä"), answer(200, JOB))
        assert request.url == "http://127.0.0.1:8080/v1/jobs/%2E%2E%3Fx%3D1%23%C3%A4"

    @pytest.mark.parametrize("identifier", ["../keys", "job_1/", "/job_1", "job_1/logs"])
    def test_an_id_with_a_slash_is_refused(self, identifier: str) -> None:
        """Servers decode an escaped one before they look for the route."""
        with pytest.raises(ValueError, match="no slash"):
            asked_of(lambda c: c.jobs.get(identifier), answer(200, JOB))

    def test_a_job_is_no_id(self) -> None:
        job: Any = object()
        with pytest.raises(TypeError, match=r"such as job\.id"):
            asked_of(lambda c: c.jobs.get(job), answer(200, JOB))

    def test_a_text_is_no_instant(self) -> None:
        text: Any = "2030-01-01T00:00:00Z"
        with pytest.raises(TypeError, match="run_at is an aware datetime"):
            asked_of(lambda c: c.jobs.create(name="n", callback_url="u", run_at=text), answer(201, JOB))

    def test_an_empty_id_is_refused(self) -> None:
        with pytest.raises(ValueError, match="an id is not empty"):
            asked_of(lambda c: c.jobs.delete(""), answer(204))

    @pytest.mark.parametrize(
        "ask",
        [
            lambda c: c.jobs.create(name="n", callback_url="u", run_at=NAIVE),
            lambda c: c.jobs.update("job_1", run_at=NAIVE),
            lambda c: c.schedules.preview(cron="@daily", after=NAIVE),
            lambda c: c.keys.create(name="n", scopes=["read"], expires_at=NAIVE),
        ],
    )
    def test_naive_datetimes_are_refused(self, ask: Ask) -> None:
        with pytest.raises(ValueError, match="aware datetime"):
            asked_of(ask, answer(200, JOB))

    @pytest.mark.parametrize(
        "ask",
        [
            lambda c: c.jobs.create(name="n", callback_url="u", cron="@daily", tags="daily"),
            lambda c: c.jobs.update("job_1", tags="daily"),
            lambda c: c.keys.create(name="n", scopes="read"),
        ],
    )
    def test_one_text_is_not_several(self, ask: Ask) -> None:
        with pytest.raises(TypeError, match="several texts"):
            asked_of(ask, answer(200, JOB))

    @pytest.mark.parametrize("payload", [float("nan"), {"at": datetime(2030, 1, 1, tzinfo=UTC)}, "\ud800"])
    def test_what_json_cannot_hold_is_refused(self, payload: Any) -> None:
        with pytest.raises((TypeError, ValueError)):
            asked_of(lambda c: c.jobs.create(name="n", callback_url="u", cron="@daily", payload=payload), answer())

    @pytest.mark.parametrize("payload", [False, 0, "", [], {}])
    def test_empty_payloads_are_payloads(self, payload: Any) -> None:
        request = asked_of(
            lambda c: c.jobs.create(name="n", callback_url="u", cron="@daily", payload=payload), answer(201, JOB)
        )
        assert request.body is not None
        assert json.loads(request.body)["payload"] == payload

    def test_query_strings_come_back_as_they_were(self) -> None:
        text = "ä &=+#%/\U0001f600"
        request = asked_of(lambda c: c.jobs.page(q=text), answer(200, page_of()))
        assert parse_qsl(urlsplit(request.url).query) == [("q", text)]


def test_what_is_read() -> None:
    job = Cronhook("k", transport=ScriptedTransport(answer(200, JOB | {"of_a_later_version": 1}))).jobs.get("job_1")
    assert job.status is JobStatus.ACTIVE
    assert job.next_run == datetime(2030, 1, 31, 8, tzinfo=UTC)
    assert job.retry_delays_seconds == (30, 120.5)
    assert job.payload == {"a": [1, None]}


async def test_a_newer_server_may_know_more() -> None:
    """Its new fields are passed over, and its new words are there to be read."""
    job = JOB | {"status": "archived", "inactive_reason": "by_policy", "last_run_status": "postponed", "colour": "red"}
    log = LOG_ROW | {"outcome": "quic_error", "status": "postponed", "region": {"name": "eu"}}
    for transport in (ScriptedTransport(answer(200, job)), ScriptedTransport(answer(200, job | {"status": "active"}))):
        read = Cronhook("k", transport=transport).jobs.get("job_1")
        assert (read.inactive_reason, read.last_run_status) == ("by_policy", "postponed")
        assert isinstance(read.status, JobStatus)
        assert (read.status is JobStatus.ACTIVE) == (read.status == "active")
    rows = Cronhook("k", transport=ScriptedTransport(answer(200, log_page_of(log, total=1)))).logs.page("job_1")
    assert [(row.outcome, row.status) for row in rows.data] == [("quic_error", "postponed")]
    asked = AsyncCronhook("k", transport=AsyncScriptedTransport(answer(200, HEALTH | {"status": "drowsy"})))
    assert (await asked.health.check()).status == "drowsy"
    with pytest.raises(ApiError) as refused:
        Cronhook("k", transport=ScriptedTransport(problem(418, "teapot", strength=9))).jobs.get("job_1")
    assert (refused.value.status, refused.value.code) == (418, "teapot")

"""The in-process server, as the tests of a user's program use it."""

import asyncio
import inspect
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from flask import Flask
from flask import request as flask_request

from cronhook_client import AsyncCronhook, Cronhook, NotFound, QuotaExceeded, Webhook
from cronhook_client.asgi import VerifyWebhooks, delivery_of
from cronhook_server.testing import (
    API_KEY,
    SIGNING_SECRET,
    AsyncInProcessServer,
    InProcessServer,
    NoReceiver,
    SentWebhook,
)

START = datetime(2030, 3, 30, 12, tzinfo=UTC)
URL = "https://app.example/hooks/report"
WEBHOOK = Webhook(SIGNING_SECRET)


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer(start=START) as running:
        yield running


@pytest.fixture
def async_server() -> AsyncInProcessServer:
    return AsyncInProcessServer(start=START)


def took(body: bytes, headers: dict[str, str]) -> int:
    WEBHOOK.verify(body, headers)
    return 204


def answers(*statuses: int) -> Any:
    """A receiver that answers so, one request after the other."""
    left = iter(statuses)
    return lambda body, headers: next(left)


class TestTime:
    def test_what_is_due_is_delivered_at_its_instant(self, server: InProcessServer) -> None:
        server.mount(URL, took)
        job = server.client.jobs.create(name="hourly", callback_url=URL, cron="30 * * * *", payload={"a": 1})
        sent = server.advance(hours=3)
        assert [webhook.at for webhook in sent] == [START + timedelta(minutes=m) for m in (30, 90, 150)]
        assert [(webhook.job_id, webhook.attempt, webhook.status, webhook.json()) for webhook in sent] == [
            (job.id, 1, 204, {"a": 1})
        ] * 3
        assert server.now == START + timedelta(hours=3)
        assert [row.started_at for row in server.client.logs.list(job.id, order="asc")] == [w.at for w in sent]

    def test_nothing_happens_by_itself(self, server: InProcessServer) -> None:
        server.mount(URL, took)
        execution = server.client.jobs.run(
            server.client.jobs.create(name="yearly", callback_url=URL, cron="@yearly").id
        )
        assert server.client.executions.get(execution.id).status == "queued"
        (sent,) = server.advance()
        assert (sent.execution_id, sent.at) == (execution.id, START)
        assert server.client.executions.get(execution.id).status == "succeeded"
        assert server.advance(days=200) == []

    def test_retries_come_after_their_delays_to_the_second(self, server: InProcessServer) -> None:
        server.mount(URL, answers(500, 503, 429, 200))
        job = server.client.jobs.create(name="once", callback_url=URL, run_at=START + timedelta(hours=1))
        sent = server.advance(hours=2)
        assert [(w.at - START).total_seconds() - 3600 for w in sent] == [0, 30, 150, 750]
        assert len({w.execution_id for w in sent}) == 1
        assert (server.client.jobs.get(job.id).inactive_reason, sent[-1].status) == ("completed", 200)

    def test_clocks_that_go_forward(self, server: InProcessServer) -> None:
        server.mount(URL, took)
        server.client.jobs.create(name="nightly", callback_url=URL, cron="30 2 * * *", timezone="Europe/Berlin")
        assert [w.at for w in server.advance(days=2)] == [
            datetime(2030, 3, 31, 1, tzinfo=UTC),
            datetime(2030, 4, 1, 0, 30, tzinfo=UTC),
        ]

    def test_a_year_of_nights_takes_no_year(self, server: InProcessServer) -> None:
        server.mount(URL, took)
        server.client.jobs.create(name="nightly", callback_url=URL, cron="@daily")
        assert len(server.advance(days=365)) == 365

    def test_it_begins_now_unless_told_otherwise_and_never_goes_back(self) -> None:
        before = datetime.now(UTC)
        with InProcessServer() as server:
            assert before <= server.now <= datetime.now(UTC)
            with pytest.raises(ValueError, match="does not go back"):
                server.advance_to(before - timedelta(days=1))


class TestReceivers:
    def test_an_asgi_application_verifies_what_it_gets(self, server: InProcessServer) -> None:
        app, got = FastAPI(), []
        app.add_middleware(VerifyWebhooks, webhook=WEBHOOK, paths="/hooks")

        @app.post("/hooks/{name}")
        async def hook(name: str, request: Request) -> dict[str, Any]:
            got.append((name, request.url.query, delivery_of(request.scope).json(), request.headers["x-team"]))
            return {"ok": True}

        server.mount_asgi("https://app.example", app)
        job = server.client.jobs.create(
            name="r", callback_url=f"{URL}?a=b", cron="@daily", payload=[1], headers={"x-team": "t"}
        )
        assert [w.status for w in server.advance(days=1)] == [200]
        assert got == [("report", "a=b", [1], "t")]
        (row,) = server.client.logs.list(job.id)
        assert (row.response_body, row.response_headers["content-type"]) == ('{"ok":true}', "application/json")

    def test_a_wsgi_application_likewise(self, server: InProcessServer) -> None:
        app = Flask("receiver")

        @app.post("/hooks/report")
        def hook() -> tuple[dict[str, str], int]:
            return {"took": WEBHOOK.verify(flask_request.get_data(), flask_request.headers).execution_id}, 202

        server.mount_wsgi("https://app.example/", app)
        job = server.client.jobs.create(name="r", callback_url=URL, cron="@daily", payload={"ü": "ü"})
        (sent,) = server.advance(days=1)
        assert sent.status == 202
        assert sent.execution_id in next(iter(server.client.logs.list(job.id))).response_body

    def test_the_longest_url_that_fits_gets_it(self, server: InProcessServer) -> None:
        got: list[str] = []

        def named(name: str) -> Any:
            return lambda body, headers: got.append(name)

        for name, url in {"all": "https://app.example", "a": "https://app.example/a", "b": "https://b.example"}.items():
            server.mount(url, named(name))
        for path in (
            "app.example",
            "app.example/a",
            "app.example/a/b",
            "app.example/ab",
            "app.example/a?x",
            "b.example",
        ):
            job = server.client.jobs.create(name=path, callback_url=f"https://{path}", cron="@yearly")
            server.client.jobs.run(job.id)
            server.advance()
        assert got == ["all", "a", "a", "all", "a", "b"]

    def test_local_names_may_be_called(self, server: InProcessServer) -> None:
        for origin in ("http://testserver", "http://localhost:8000", "http://127.0.0.1:8000"):
            server.mount(origin, took)
            job = server.client.jobs.create(name="local", callback_url=f"{origin}/hook", cron="@yearly")
            server.client.jobs.run(job.id)
        assert [w.status for w in server.advance()] == [204] * 3

    def test_a_function_may_ask_the_server(self, server: InProcessServer) -> None:
        def chain(body: bytes, headers: dict[str, str]) -> None:
            job = server.client.jobs.get(headers["cronhook-job-id"])
            if job.name == "first":
                server.client.jobs.create(name="second", callback_url=URL, run_at=server.now + timedelta(minutes=1))

        server.mount(URL, chain)
        server.client.jobs.create(name="first", callback_url=URL, run_at=START + timedelta(hours=1))
        assert [w.at - START for w in server.advance(hours=2)] == [timedelta(hours=1), timedelta(hours=1, minutes=1)]

    def test_what_a_receiver_raises_is_told_to_the_test(self, server: InProcessServer) -> None:
        def broken(body: bytes, headers: dict[str, str]) -> None:
            assert body == b"something else", "the payload is wrong"

        server.mount(URL, broken)
        job = server.client.jobs.create(name="r", callback_url=URL, cron="@daily")
        with pytest.raises(AssertionError, match="the payload is wrong"):
            server.advance(days=2)
        assert server.now == datetime(2030, 3, 31, tzinfo=UTC)
        (row,) = server.client.logs.list(job.id)
        assert (row.status, row.response_status) == ("failed", 500)

    @pytest.mark.parametrize(
        ("receiver", "raised"),
        [
            (lambda body, headers: pytest.fail("not what was expected"), pytest.fail.Exception),
            (lambda body, headers: sys.exit("settings are missing"), SystemExit),
            (lambda body, headers: next(iter(())), RuntimeError),
            (lambda body, headers: "200", TypeError),
            (lambda body, headers: ("ok", 200), TypeError),
        ],
    )
    def test_whatever_it_is(self, server: InProcessServer, receiver: Any, raised: type[BaseException]) -> None:
        async def as_coroutine(body: bytes, headers: dict[str, str]) -> Any:
            return receiver(body, headers)

        for mounted in (receiver, as_coroutine):
            server.mount(URL, mounted)
            server.client.jobs.create(name="r", callback_url=URL, run_at=server.now, retry_delays_seconds=[])
            with pytest.raises(raised):
                server.advance()

    @pytest.mark.parametrize("late", ["background", "body"])
    def test_an_answer_that_is_out_is_no_timeout(self, server: InProcessServer, late: str) -> None:
        """As over HTTP: the status decides, whatever the application does after it."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 202, "headers": []})
            await send({"type": "http.response.body", "body": b"took", "more_body": late == "body"})
            await asyncio.sleep(1.2)

        server.mount_asgi("https://app.example", app)
        server.client.jobs.create(name="r", callback_url=URL, run_at=START, timeout_seconds=1, retry_delays_seconds=[])
        (sent,) = server.advance()
        assert (sent.status, sent.error) == (202, None)

    def test_a_wsgi_answer_that_breaks_before_its_first_byte_is_500(self) -> None:
        app = Flask(__name__)

        @app.post("/hooks/report")
        def broken() -> Any:
            def parts() -> Iterator[bytes]:
                raise KeyError("broken")
                yield b""

            return app.response_class(parts())

        with InProcessServer(start=START, raise_errors=False) as server:
            server.mount_wsgi("https://app.example", app)
            server.client.jobs.create(name="r", callback_url=URL, run_at=START, retry_delays_seconds=[])
            assert [sent.status for sent in server.advance()] == [500]

    @pytest.mark.parametrize("place", ["https://APP.example:443", "https://app.example/", "https://app.example/hooks/"])
    def test_a_url_is_mounted_however_it_is_written(self, server: InProcessServer, place: str) -> None:
        server.mount(place, took)
        server.client.jobs.create(name="r", callback_url=URL, run_at=START)
        assert [sent.status for sent in server.advance()] == [204]

    def test_or_only_counts_as_a_failure(self) -> None:
        app = FastAPI()

        @app.post("/hooks/report")
        async def broken() -> None:
            raise KeyError("broken")

        with InProcessServer(start=START, raise_errors=False) as server:
            server.mount_asgi("https://app.example", app)
            server.client.jobs.create(
                name="r", callback_url=URL, run_at=START + timedelta(hours=1), retry_delays_seconds=[5]
            )
            assert [w.status for w in server.advance(hours=2)] == [500, 500]

    def test_a_url_without_a_receiver(self, server: InProcessServer) -> None:
        server.mount(URL, took)
        job = server.client.jobs.create(name="r", callback_url="https://other.example/", cron="@daily")
        with pytest.raises(NoReceiver, match=r"https://other\.example/"):
            server.advance(days=1)
        assert next(iter(server.client.logs.list(job.id))).outcome == "connect_error"

    def test_a_receiver_that_does_not_answer(self, server: InProcessServer) -> None:
        async def hangs(body: bytes, headers: dict[str, str]) -> None:
            await asyncio.Event().wait()

        server.mount(URL, hangs)
        job = server.client.jobs.create(
            name="r", callback_url=URL, run_at=START, timeout_seconds=1, retry_delays_seconds=[]
        )
        (sent,) = server.advance()
        assert (sent.status, sent.error) == (None, "no answer within 1 s")
        assert next(iter(server.client.logs.list(job.id))).outcome == "timeout"

    def test_a_rotated_secret_signs_beside_the_old_one(self, server: InProcessServer) -> None:
        secret = server.client.workspace.rotate_signing_secret(grace_seconds=3600).secret
        assert secret != SIGNING_SECRET
        server.mount(
            URL, lambda body, headers: [Webhook(s).verify(body, headers) for s in (secret, SIGNING_SECRET)] and 200
        )
        server.client.jobs.run(server.client.jobs.create(name="r", callback_url=URL, cron="@yearly").id)
        assert [w.status for w in server.advance()] == [200]


class TestServer:
    def test_it_is_the_whole_api(self, server: InProcessServer) -> None:
        assert server.client.workspace.signing_secret().secret == SIGNING_SECRET
        assert server.client.health.check().status == "ok"
        with pytest.raises(NotFound):
            server.client.jobs.get("job_1")
        for number in range(100):
            server.client.jobs.create(name=str(number), callback_url=URL, cron="@yearly")
        with pytest.raises(QuotaExceeded):
            server.client.jobs.create(name="one more", callback_url=URL, cron="@yearly")
        limits = server.client.workspace.get().limits
        assert (limits.max_queued_executions, limits.max_queued_executions_per_job) == (100_000, 10_000)

    def test_secret_headers_are_sent_and_not_shown(self, server: InProcessServer) -> None:
        server.mount(URL, lambda body, headers: 200 if headers["authorization"] == "Bearer s" else 403)
        job = server.client.jobs.create(
            name="r", callback_url=URL, cron="@daily", headers={"authorization": "Bearer s"}
        )
        assert job.headers == {"authorization": "***"}
        assert [w.status for w in server.advance(days=1)] == [200]

    def test_other_clients_over_its_transport(self, server: InProcessServer) -> None:
        mine = Cronhook(API_KEY, transport=server.transport)
        assert (
            mine.jobs.create(name="r", callback_url=URL, cron="@daily").id == next(iter(server.client.jobs.list())).id
        )

    def test_servers_know_nothing_of_each_other(self, server: InProcessServer) -> None:
        server.client.jobs.create(name="r", callback_url=URL, cron="@daily")
        with InProcessServer() as other:
            assert list(other.client.jobs.list()) == []

    def test_the_same_test_sees_the_same_ids(self) -> None:
        ids = []
        for _ in range(2):
            with InProcessServer(start=START) as server:
                ids.append(server.client.jobs.create(name="r", callback_url=URL, cron="@daily").id)
        assert ids[0] == ids[1]

    def test_nothing_is_printed(self, server: InProcessServer, capfd: pytest.CaptureFixture[str]) -> None:
        server.mount(URL, took)
        server.client.jobs.create(name="r", callback_url=URL, cron="@daily")
        server.advance(days=1)
        assert capfd.readouterr() == ("", "")

    def test_closing_it_twice_and_using_it_afterwards(self) -> None:
        server = InProcessServer()
        server.close()
        server.close()
        with pytest.raises(RuntimeError, match="closed"):
            server.advance()

    def test_a_coroutine_of_its_loop_must_not_wait_for_it(self, server: InProcessServer) -> None:
        async def waits(body: bytes, headers: dict[str, str]) -> None:
            server.client.jobs.list().pages().__next__()

        server.mount(URL, waits)
        server.client.jobs.create(name="r", callback_url=URL, run_at=START)
        with pytest.raises(RuntimeError, match="AsyncInProcessServer"):
            server.advance()

    def test_a_receiver_cannot_move_time(self, server: InProcessServer) -> None:
        server.mount(URL, lambda body, headers: len(server.advance(hours=1)))
        server.client.jobs.create(name="r", callback_url=URL, run_at=START)
        with pytest.raises(RuntimeError, match="while a webhook is being received"):
            server.advance()

    def test_no_file_and_no_port(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import socket

        def refuse(*_: object) -> None:
            raise AssertionError("it listens or connects")

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(socket.socket, "bind", refuse)
        monkeypatch.setattr(socket.socket, "connect", refuse)
        with InProcessServer(start=START) as server:
            server.mount(URL, took)
            server.client.jobs.create(name="r", callback_url=URL, cron="@daily")
            assert len(server.advance(days=1)) == 1
        assert list(tmp_path.iterdir()) == []


class TestInAnEventLoop:
    async def test_with_the_async_client(self, async_server: AsyncInProcessServer) -> None:
        mine = asyncio.get_running_loop()

        async def hook(body: bytes, headers: dict[str, str]) -> int:
            assert asyncio.get_running_loop() is mine
            job = await async_server.client.jobs.get(headers["cronhook-job-id"])
            return took(body, headers) if job.name == "r" else 500

        async_server.mount(URL, hook)
        job = await async_server.client.jobs.create(name="r", callback_url=URL, cron="0 * * * *")
        sent = await async_server.advance(hours=3)
        assert [type(webhook) for webhook in sent] == [SentWebhook] * 3
        assert [row.status async for row in async_server.client.logs.list(job.id)] == ["succeeded"] * 3
        assert async_server.sent == sent

    async def test_applications_and_other_clients(self, async_server: AsyncInProcessServer) -> None:
        app = FastAPI()

        @app.post("/hooks/report")
        async def hook(request: Request) -> str:
            return WEBHOOK.verify(await request.body(), request.headers).execution_id

        async_server.mount_asgi("https://app.example", app)
        async with AsyncCronhook(API_KEY, transport=async_server.transport) as mine:
            await mine.jobs.create(name="r", callback_url=URL, run_at=async_server.now + timedelta(days=30))
        assert [w.at for w in await async_server.advance_to(START + timedelta(days=31))] == [START + timedelta(days=30)]

    def test_one_may_be_made_without_a_loop(self, async_server: AsyncInProcessServer) -> None:
        async def use() -> int:
            await async_server.client.jobs.create(name="r", callback_url=URL, cron="@daily")
            async_server.mount(URL, took)
            return len(await async_server.advance(days=2))

        assert asyncio.run(use()) == 2


def test_both_servers_offer_the_same() -> None:
    def public(server: type) -> dict[str, str | None]:
        return {name: getattr(server, name).__doc__ for name in dir(server) if not name.startswith("_")}

    assert {name: text for name, text in public(InProcessServer).items() if name != "close"} == public(
        AsyncInProcessServer
    )
    for name in ("__init__", "mount", "mount_asgi", "mount_wsgi", "advance", "advance_to"):
        assert inspect.signature(getattr(InProcessServer, name)) == inspect.signature(
            getattr(AsyncInProcessServer, name)
        ), name


def test_a_receiver_that_asks_for_ever_more_is_stopped(
    async_server: AsyncInProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cronhook_server.testing.virtual_engine.MOST_AT_ONE_INSTANT", 20)

    async def again(body: bytes, headers: dict[str, str]) -> None:
        await async_server.client.jobs.run(headers["cronhook-job-id"])

    async def use() -> None:
        async_server.mount(URL, again)
        await async_server.client.jobs.create(name="r", callback_url=URL, run_at=START)
        await async_server.advance()

    with pytest.raises(RuntimeError, match="more than 20 webhooks"):
        asyncio.run(use())


def test_a_preview_reaches_as_far_as_the_line() -> None:
    """A leap day is rare: a hundred of them take four centuries."""
    with InProcessServer() as server:
        instants = server.client.schedules.preview(cron="0 0 29 2 *", count=100).data
    assert len(instants) == 100
    assert instants[-1].at.year > 2400

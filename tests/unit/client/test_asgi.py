"""The ASGI middleware."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cronhook_client.asgi import VerifyWebhooks, delivery_of
from cronhook_client.seen import SeenInMemory, Sighting
from tests.unit.client.signing import BODY, WEBHOOK, signed_headers

Message = dict[str, Any]


class App:
    """Reads the whole body and answers with `status`; `deliveries` and `bodies` are what it saw."""

    def __init__(self, status: int = 204, error: BaseException | None = None) -> None:
        self.deliveries: list[Any] = []
        self.bodies: list[bytes] = []
        self.scopes: list[str] = []
        self._status = status
        self._error = error

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        self.scopes.append(scope["type"])
        if scope["type"] != "http":
            return
        self.deliveries.append(scope.get("cronhook.delivery"))
        message = await receive()
        self.bodies.append(message["body"])
        assert message["more_body"] is False
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": self._status, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        if self._error is not None:
            raise self._error


async def ask(
    app: VerifyWebhooks, headers: dict[str, str], *chunks: bytes, path: str = "/hooks/report", **further: str
) -> tuple[int, str]:
    """The status and the text of the answer; (0, "") where there is none."""
    pairs = [(n.encode(), v.encode()) for n, v in headers.items()]
    scope = {"type": "http", "path": path, "headers": pairs} | further
    last = len(chunks) - 1
    messages = [{"type": "http.request", "body": chunk, "more_body": n < last} for n, chunk in enumerate(chunks)]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return (sent[0]["status"], sent[1]["body"].decode()) if sent else (0, "")


async def test_a_verified_webhook_reaches_the_application() -> None:
    app = App()
    assert await ask(VerifyWebhooks(app, WEBHOOK), signed_headers(), BODY) == (204, "")
    assert app.deliveries[0].execution_id == "exe_1"
    assert app.bodies == [BODY]


async def test_a_body_in_pieces() -> None:
    app = App()
    status, _ = await ask(VerifyWebhooks(app, WEBHOOK), signed_headers(), *(bytes([byte]) for byte in BODY))
    assert (status, app.bodies) == (204, [BODY])


async def test_what_is_not_verified_does_not() -> None:
    app = App()
    verified = VerifyWebhooks(app, WEBHOOK)
    assert await ask(verified, {}, BODY) == (401, "the header webhook-id is missing")
    status, text = await ask(verified, signed_headers(), BODY + b" ")
    assert (status, "no signature fits" in text) == (401, True)
    assert app.deliveries == []


async def test_other_paths_pass_as_they_are() -> None:
    app = App()
    verified = VerifyWebhooks(app, WEBHOOK, paths=["/hooks/", "/other"])
    for path, status in (
        ("/hooks", 401),
        ("/hooks/", 401),
        ("/hooks/a/b", 401),
        ("/other", 401),
        ("/hooks2", 204),
        ("/", 204),
    ):
        assert (await ask(verified, {}, b"{}", path=path))[0] == status
    assert app.deliveries == [None, None]
    with pytest.raises(LookupError, match="not verified"):
        delivery_of({"type": "http"})


@pytest.mark.parametrize(
    ("root_path", "path"),
    [
        ("", "//hooks/report"),
        ("", "/hooks//report"),
        ("/api", "/api/hooks/report"),
        ("/api/", "/api//hooks"),
        ("/api", "/hooks/report"),
    ],
)
async def test_whatever_a_framework_may_route_there_is_verified(root_path: str, path: str) -> None:
    app = App()
    for paths in ("/hooks", "/api/hooks", "//hooks/"):
        if root_path or "api" not in paths:
            verified = VerifyWebhooks(app, WEBHOOK, paths=paths)
            assert (await ask(verified, {}, b"{}", path=path, root_path=root_path))[0] == 401
    assert app.deliveries == []


@pytest.mark.parametrize("paths", ["hooks", "", ["/hooks", "other"], []])
async def test_paths_that_would_verify_nothing_are_refused(paths: str | list[str]) -> None:
    with pytest.raises(ValueError, match="paths"):
        VerifyWebhooks(App(), WEBHOOK, paths=paths)


async def test_other_scopes_pass() -> None:
    app = App()

    async def unused(*_: object) -> Any:
        raise AssertionError

    for kind in ("lifespan", "websocket"):
        await VerifyWebhooks(app, WEBHOOK)({"type": kind, "path": "/"}, unused, unused)
    assert app.scopes == ["lifespan", "websocket"]


async def test_a_body_is_bounded_while_it_is_read() -> None:
    app = App()
    verified = VerifyWebhooks(app, WEBHOOK, max_body_bytes=len(BODY))
    assert (await ask(verified, signed_headers(), BODY))[0] == 204
    assert (await ask(verified, signed_headers(), BODY, b"x"))[0] == 413
    assert len(app.bodies) == 1


async def test_a_client_that_leaves_gets_no_answer() -> None:
    app = App()
    assert await ask(VerifyWebhooks(app, WEBHOOK), signed_headers()) == (0, "")
    assert app.deliveries == []


class AsyncSeenInMemory:
    """The same over coroutines."""

    def __init__(self) -> None:
        self._seen = SeenInMemory()

    async def begin(self, execution_id: str) -> Sighting:
        return self._seen.begin(execution_id)

    async def end(self, execution_id: str, *, handled: bool) -> None:
        self._seen.end(execution_id, handled=handled)


@pytest.mark.parametrize("kind", [SeenInMemory, AsyncSeenInMemory])
class TestSeen:
    async def test_a_handled_execution_does_not_come_again(self, kind: type[Any]) -> None:
        app = App()
        verified = VerifyWebhooks(app, WEBHOOK, seen=kind())
        assert (await ask(verified, signed_headers(), BODY))[0] == 204
        assert await ask(verified, signed_headers(), BODY) == (200, "this execution was handled before")
        assert (await ask(verified, signed_headers("exe_2"), BODY))[0] == 204
        assert [delivery.execution_id for delivery in app.deliveries] == ["exe_1", "exe_2"]

    async def test_one_that_failed_does(self, kind: type[Any]) -> None:
        app = App(500)
        verified = VerifyWebhooks(app, WEBHOOK, seen=kind())
        assert (await ask(verified, signed_headers(), BODY))[0] == 500
        assert (await ask(verified, signed_headers(), BODY))[0] == 500
        assert len(app.deliveries) == 2

    async def test_one_that_raised_does_also_after_its_answer(self, kind: type[Any]) -> None:
        app = App(204, RuntimeError("odd"))
        verified = VerifyWebhooks(app, WEBHOOK, seen=kind())
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await ask(verified, signed_headers(), BODY)
        assert len(app.deliveries) == 2

    async def test_one_that_is_cancelled_again_and_again_does(self, kind: type[Any]) -> None:
        """As by a scope of anyio, within which every wait is cancelled until it is left."""

        class Slow(AsyncSeenInMemory):
            async def end(self, execution_id: str, *, handled: bool) -> None:
                await asyncio.sleep(0.01)
                await super().end(execution_id, handled=handled)

        async def hangs(scope: Message, receive: Any, send: Any) -> None:
            await asyncio.sleep(60)

        seen = Slow() if kind is AsyncSeenInMemory else kind()
        asking = asyncio.ensure_future(ask(VerifyWebhooks(hangs, WEBHOOK, seen=seen), signed_headers(), BODY))
        await asyncio.sleep(0.01)
        while not asking.done():
            asking.cancel()
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert (await ask(VerifyWebhooks(App(), WEBHOOK, seen=seen), signed_headers(), BODY))[0] == 204

    async def test_one_under_way_is_asked_to_come_later(self, kind: type[Any]) -> None:
        seen, answers = kind(), []

        async def app(scope: Message, receive: Any, send: Any) -> None:
            answers.append(await ask(verified, signed_headers(), BODY))
            await App()(scope, receive, send)

        verified = VerifyWebhooks(app, WEBHOOK, seen=seen)
        assert (await ask(verified, signed_headers(), BODY))[0] == 204
        assert answers == [(503, "this execution is being handled by an earlier request")]

    async def test_it_is_told_when_one_that_died_is_forgotten(self, kind: type[Any]) -> None:
        """So that tries before that use up none of the job's delays."""
        seen, started = kind(), []
        under_way = seen.begin("exe_1")
        if kind is AsyncSeenInMemory:
            await under_way

        async def send(message: Message) -> None:
            started.extend(message.get("headers", ()))

        async def receive() -> Message:
            return {"type": "http.request", "body": BODY}

        headers = WEBHOOK.sign(BODY, execution_id="exe_1")
        scope = {"type": "http", "path": "/", "headers": [(n.encode(), v.encode()) for n, v in headers.items()]}
        await VerifyWebhooks(App(), WEBHOOK, seen=seen, under_way_seconds=45)(scope, receive, send)
        assert (b"retry-after", b"45") in started

    async def test_what_is_not_verified_is_not_remembered(self, kind: type[Any]) -> None:
        verified = VerifyWebhooks(App(), WEBHOOK, seen=kind())
        assert (await ask(verified, signed_headers(), b"forged"))[0] == 401
        assert (await ask(verified, signed_headers(), BODY))[0] == 204

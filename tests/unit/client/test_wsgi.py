"""The WSGI wrapper, also under the reference checker of PEP 3333."""

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from cronhook_client.seen import SeenInMemory
from cronhook_client.wsgi import VerifyWebhooks, delivery_of
from tests.unit.client.signing import BODY, WEBHOOK, signed_headers


class App:
    """Answers with `status`; `deliveries` and `bodies` are what it saw."""

    def __init__(self, status: str = "204 No Content", error: Exception | None = None) -> None:
        self.deliveries: list[Any] = []
        self.bodies: list[bytes] = []
        self._status = status
        self._error = error

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.deliveries.append(environ.get("cronhook.delivery"))
        self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0)))
        start_response(self._status, [])
        if self._error is not None:
            raise self._error
        return [b""]


class LazyApp(App):
    """Does everything when it is iterated over, and fails after it answered."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        yield from super().__call__(environ, start_response)
        if environ.get("HTTP_FAIL"):
            raise RuntimeError("odd")


def environ_of(headers: dict[str, str], body: bytes, path: str = "/hooks/report", **further: Any) -> dict[str, Any]:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    del environ["HTTP_HOST"]
    environ.pop("HTTP_CONTENT_TYPE", None)
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "", "CONTENT_LENGTH": str(len(body))}
    return environ | {"wsgi.input": BytesIO(body)} | further


def ask(app: Any, environ: dict[str, Any]) -> tuple[int, str]:
    started: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        started.append(status)
        return lambda _: None

    parts = app(environ, start_response)
    try:
        text = b"".join(parts).decode()
    finally:
        getattr(parts, "close", lambda: None)()
    return int(started[-1].split()[0]), text


def test_a_verified_webhook_reaches_the_application() -> None:
    app = App()
    assert ask(VerifyWebhooks(app, WEBHOOK), environ_of(signed_headers(), BODY)) == (204, "")
    assert app.deliveries[0].execution_id == "exe_1"
    assert app.bodies == [BODY]


@pytest.mark.parametrize("seen", [None, SeenInMemory()])
def test_the_protocol_is_kept(seen: SeenInMemory | None) -> None:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("content-type", "text/plain")])
        return [delivery_of(environ).body]

    checked = validator(VerifyWebhooks(validator(app), WEBHOOK, seen=seen))
    assert ask(checked, environ_of(signed_headers(), BODY)) == (200, BODY.decode())
    assert ask(checked, environ_of(signed_headers(), b"forged"))[0] == 401


def test_what_is_not_verified_does_not() -> None:
    app = App()
    verified = VerifyWebhooks(app, WEBHOOK)
    assert ask(verified, environ_of({}, BODY)) == (401, "the header webhook-id is missing")
    assert ask(verified, environ_of(signed_headers(), BODY + b" "))[0] == 401
    assert app.deliveries == []


def test_other_paths_pass_as_they_are() -> None:
    app = App()
    verified = VerifyWebhooks(app, WEBHOOK, paths="/häkchen")
    mounted = {"SCRIPT_NAME": "/häkchen".encode().decode("latin-1"), "PATH_INFO": "/a"}
    assert ask(verified, environ_of({}, b"") | mounted)[0] == 401
    assert ask(verified, environ_of({}, b"", "/häkchen/a".encode().decode("latin-1")))[0] == 401
    assert ask(verified, environ_of({}, b"", "/other"))[0] == 204
    below = {"SCRIPT_NAME": "/app", "PATH_INFO": "//häkchen/a".encode().decode("latin-1")}
    assert ask(verified, environ_of({}, b"") | below)[0] == 401
    with pytest.raises(LookupError, match="not verified"):
        delivery_of({})


@pytest.mark.parametrize(
    ("length", "further", "status"),
    [
        ("18", {}, 204),
        ("", {"wsgi.input_terminated": True}, 204),
        ("", {}, 401),
        ("-1", {}, 401),
        ("17", {}, 401),
        ("999", {}, 413),
    ],
)
def test_how_much_is_read(length: str, further: dict[str, Any], status: int) -> None:
    app = App()
    verified = VerifyWebhooks(app, WEBHOOK, max_body_bytes=len(BODY))
    environ = environ_of(signed_headers(), BODY, CONTENT_LENGTH=length, **further)
    environ["wsgi.input"] = BytesIO(BODY + (b"x" if status == 413 else b""))
    assert ask(verified, environ)[0] == status


class TestSeen:
    @pytest.mark.parametrize("kind", [App, LazyApp])
    def test_a_handled_execution_does_not_come_again(self, kind: type[App]) -> None:
        app = kind()
        verified = VerifyWebhooks(app, WEBHOOK, seen=SeenInMemory())
        assert ask(verified, environ_of(signed_headers(), BODY))[0] == 204
        assert ask(verified, environ_of(signed_headers(), BODY)) == (200, "this execution was handled before")
        assert len(app.deliveries) == 1

    @pytest.mark.parametrize("kind", [App, LazyApp])
    def test_one_that_failed_does(self, kind: type[App]) -> None:
        app = kind("500 Internal Server Error")
        verified = VerifyWebhooks(app, WEBHOOK, seen=SeenInMemory())
        assert [ask(verified, environ_of(signed_headers(), BODY))[0] for _ in range(2)] == [500, 500]
        assert len(app.deliveries) == 2

    def test_one_that_raised_does(self) -> None:
        app = App(error=RuntimeError("odd"))
        verified = VerifyWebhooks(app, WEBHOOK, seen=SeenInMemory())
        for _ in range(2):
            with pytest.raises(RuntimeError):
                ask(verified, environ_of(signed_headers(), BODY))
        assert len(app.deliveries) == 2

    def test_one_that_raised_after_it_answered_does(self) -> None:
        app = LazyApp()
        verified = VerifyWebhooks(app, WEBHOOK, seen=SeenInMemory())
        for _ in range(2):
            with pytest.raises(RuntimeError):
                ask(verified, environ_of(signed_headers() | {"fail": "1"}, BODY))
        assert len(app.deliveries) == 2

    def test_one_whose_finished_answer_nobody_took_does_not(self) -> None:
        """What says how long it is has done its work before the last piece leaves."""

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Length", "4")])
            yield b"do"
            yield b"ne"

        verified = VerifyWebhooks(app, WEBHOOK, seen=SeenInMemory())
        answer: Any = verified(environ_of(signed_headers(), BODY), lambda *_: None)
        parts = iter(answer)
        assert [next(parts), next(parts)] == [b"do", b"ne"]
        answer.close()
        assert ask(verified, environ_of(signed_headers(), BODY)) == (200, "this execution was handled before")

    def test_one_whose_answer_was_not_finished_does(self) -> None:
        """The peer went away: a server stops iterating, and closes."""
        done: list[str] = []

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            start_response("200 OK", [])
            yield b"working"
            done.append("work")
            yield b"done"

        verified = VerifyWebhooks(app, WEBHOOK, seen=SeenInMemory())
        answer: Any = verified(environ_of(signed_headers(), BODY), lambda *_: None)
        parts = iter(answer)
        assert next(parts) == b"working"
        answer.close()
        assert done == []
        assert ask(verified, environ_of(signed_headers(), BODY))[0] == 200
        assert done == ["work"]

    def test_one_under_way_is_asked_to_come_later(self) -> None:
        answers = []

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            answers.append(ask(verified, environ_of(signed_headers(), BODY)))
            return App()(environ, start_response)

        verified = VerifyWebhooks(app, WEBHOOK, seen=SeenInMemory())
        assert ask(verified, environ_of(signed_headers(), BODY))[0] == 204
        assert answers == [(503, "this execution is being handled by an earlier request")]

    def test_it_is_told_when_one_that_died_is_forgotten(self) -> None:
        """So that tries before that use up none of the job's delays."""
        seen, told = SeenInMemory(), {}
        seen.begin("exe_1")
        verified = VerifyWebhooks(App(), WEBHOOK, seen=seen, under_way_seconds=44.5)
        environ = environ_of(WEBHOOK.sign(BODY, execution_id="exe_1"), BODY)
        verified(environ, lambda status, headers: told.update(headers))
        assert told["retry-after"] == "45"

    @pytest.mark.parametrize("seconds", [-1, float("nan"), 1e9])
    def test_a_time_that_cannot_be_meant_is_refused(self, seconds: float) -> None:
        with pytest.raises(ValueError, match="under_way_seconds"):
            VerifyWebhooks(App(), WEBHOOK, under_way_seconds=seconds)

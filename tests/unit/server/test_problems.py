"""Whatever a route raises is answered after RFC 9457, and tells nothing of the inside."""

from typing import Any

import httpx
import pytest
import structlog
from litestar import Litestar, get
from prometheus_client import CollectorRegistry

from cronhook_core.errors import ConfigurationError, Conflict, StoreUnavailable, Unauthenticated
from cronhook_server.api_request import ApiRequest
from cronhook_server.problems import exception_handlers
from cronhook_server.request_metrics import RequestMetrics
from cronhook_server.request_scope import RequestScope

SECRET = "hunter2 at 10.0.0.5"


async def ask(error: Exception, path: str = "/here") -> httpx.Response:
    @get("/here")
    async def raising() -> None:
        raise error

    app = RequestScope(
        Litestar(
            [raising],
            exception_handlers=exception_handlers(),
            request_class=ApiRequest,
            logging_config=None,
            openapi_config=None,
        ),  # type: ignore[arg-type]
        RequestMetrics(CollectorRegistry()),
    )
    transport: Any = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Conflict("the job is inactive"), 409, "conflict"),
        (StoreUnavailable(SECRET), 503, "unavailable"),
        (Unauthenticated(SECRET), 401, "unauthenticated"),
        (ConfigurationError("CRONHOOK_DATABASE_URL", SECRET), 500, "internal"),
        (ValueError(SECRET), 500, "internal"),
        (ExceptionGroup("several", [ValueError(SECRET)]), 500, "internal"),
        (RecursionError(SECRET), 500, "internal"),
    ],
)
async def test_every_error_is_a_problem(error: Exception, status: int, code: str) -> None:
    answered = await ask(error)
    body = answered.json()
    assert answered.status_code == status
    assert answered.headers["content-type"] == "application/problem+json"
    assert (body["status"], body["code"], body["instance"]) == (status, code, "/here")
    assert body["request_id"] == answered.headers["x-request-id"]
    assert SECRET not in answered.text


async def test_a_mistake_is_logged_with_its_request_id() -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        answered = await ask(ValueError("a mistake"))
    (entry,) = (entry for entry in logged if entry["log_level"] == "error")
    assert entry["request_id"] == answered.headers["x-request-id"]
    assert "a mistake" in repr(entry["exc_info"])


async def test_away_says_when_to_come_back() -> None:
    assert int((await ask(StoreUnavailable("away"))).headers["retry-after"]) > 0


async def test_unauthenticated_says_how() -> None:
    assert "x-api-key" in (await ask(Unauthenticated())).headers["www-authenticate"]


async def test_an_unknown_path_is_a_problem_too() -> None:
    answered = await ask(ValueError(), "/elsewhere")
    assert (answered.status_code, answered.json()["code"]) == (404, "not_found")
    assert answered.headers["x-request-id"]

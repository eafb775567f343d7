"""One line for each request, with the id that its answer carries."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from attrs import frozen
from prometheus_client import CollectorRegistry

from cronhook_server.logs import configure_logging
from cronhook_server.request_metrics import RequestMetrics
from cronhook_server.request_scope import CALLER, MAX_LOGGED_PATH, RequestScope
from cronhook_server.settings import LogFormat


@frozen
class Caller:
    workspace_id: str
    id: str


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(LogFormat.JSON, stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def answers(scope: Any, _: Any, send: Any) -> None:
    """Routes `/known/{id}` and the probes', and logs a line of its own."""
    if scope["path"].startswith("/known/"):
        scope["path_template"] = "/known/{id}"
        scope[CALLER] = Caller("wsp_1", "key_1")
        structlog.get_logger("inner").info("inner")
    elif scope["path"] == "/livez":
        scope["path_template"] = "/livez"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def fails(scope: Any, receive: Any, send: Any) -> None:
    raise ConnectionResetError


async def asked(path: str, app: Any = answers, **options: Any) -> httpx.Response:
    scope: Any = RequestScope(app, RequestMetrics(CollectorRegistry()), **options)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(scope), base_url="http://api") as http:
        return await http.get(path)


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_request_is_one_line_with_its_id(stream: io.StringIO) -> None:
    answer = await asked("/known/job_1")
    inner, line = lines_of(stream)
    duration = line.pop("duration_ms")
    assert 0 <= duration < 30_000
    assert line.pop("timestamp")
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": answer.headers["x-request-id"],
        "method": "GET",
        "route": "/known/{id}",
        "status": 200,
        "workspace_id": "wsp_1",
        "key_id": "key_1",
    }
    assert inner["request_id"] == answer.headers["x-request-id"]


async def test_a_path_that_is_no_route_is_told_up_to_a_length(stream: io.StringIO) -> None:
    await asked(f"/{'x' * 1000}")
    (line,) = lines_of(stream)
    assert line["route"] == f"/{'x' * (MAX_LOGGED_PATH - 1)}"
    assert "workspace_id" not in line


async def test_probes_are_not_told_of(stream: io.StringIO) -> None:
    await asked("/livez")
    assert lines_of(stream) == []


async def test_a_request_that_got_no_answer_is_told_of(stream: io.StringIO) -> None:
    with pytest.raises(ConnectionResetError):
        await asked("/known/job_1", fails)
    (line,) = lines_of(stream)
    assert (line["event"], line["status"]) == ("request", 0)


async def test_lines_can_be_left_out(stream: io.StringIO) -> None:
    await asked("/unknown", log_requests=False)
    assert lines_of(stream) == []

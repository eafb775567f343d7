"""What the API refuses before it looks at what is asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cronhook_server import reading
from cronhook_server.composition import Backends
from cronhook_server.reading import MAX_BODY_BYTES
from tests.integration.api.conftest import Api, job_body, memory_backends

JSON = {"content-type": "application/json"}


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    """No store is reached here."""
    async with memory_backends() as backends:
        yield backends


async def post(api: Api, content: Any, **headers: str) -> tuple[int, str]:
    answered = await api.http.post("/v1/jobs", content=content, headers=JSON | headers)
    return answered.status_code, answered.json().get("code", "")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b'{"name": "a", "name": "b"}',
        b'{"timeout_seconds": NaN}',
        b'{"timeout_seconds": 1e999}',
        rb'{"name": "\u0000"}',
        rb'{"payload": "\ud800"}',
        b"[" * 50_000,
        b'{"payload": ' + b"9" * 10_000 + b"}",
        b" " * MAX_BODY_BYTES,
    ],
)
async def test_bodies_that_are_no_job(api: Api, content: bytes) -> None:
    assert await post(api, content) == (400, "invalid_request")


class TestTooLarge:
    async def test_announced(self, api: Api) -> None:
        assert await post(api, b" " * (MAX_BODY_BYTES + 1)) == (413, "payload_too_large")

    async def test_not_announced(self, api: Api) -> None:
        sent = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(1000):
                sent += 65_536
                yield b" " * 65_536

        assert await post(api, chunks()) == (413, "payload_too_large")
        assert sent < 2 * MAX_BODY_BYTES


async def test_a_body_that_does_not_arrive_in_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BODY_WITHIN_SECONDS", 0.05)
    arrived = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        await arrived.wait()

    assert await post(api, chunks()) == (408, "request_timeout")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": ""},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-encoding": "gzip"},
    ],
)
async def test_other_media_types(api: Api, headers: dict[str, str]) -> None:
    body = json.dumps(job_body()).encode()
    assert await post(api, body, **headers) == (415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_json_in_utf_8_may_say_so(api: Api, media_type: str) -> None:
    body = json.dumps(job_body()).encode()
    assert (await post(api, body, **{"content-type": media_type}))[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, OPTIONS, POST"),
        ("TRACE", "/v1/jobs", "GET, OPTIONS, POST"),
        ("POST", "/v1/jobs/job_01arz3ndektsv4rrffq69g5fav/logs", "GET, OPTIONS"),
        ("DELETE", "/health", "GET, OPTIONS"),
    ],
)
async def test_other_methods(api: Api, method: str, path: str, allowed: str) -> None:
    refused = await api.http.request(method, path)
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/jobs", "/v1/jobs/a/b/c", "/v1/job", "/%2e%2e/etc/passwd", "/%00"])
async def test_other_paths(api: Api, path: str) -> None:
    refused = await api.http.get(path)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert refused.json()["request_id"] == refused.headers["x-request-id"]

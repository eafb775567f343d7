"""What the API refuses before it looks at what is asked."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cronhook_core.wire.strict_json import parse_json
from cronhook_server import reading
from cronhook_server.composition import Backends
from cronhook_server.openapi.document import document
from cronhook_server.reading import MAX_JOB_BODY_BYTES
from tests.integration.api.conftest import Api, instant, job_body, memory_backends

JSON = {"content-type": "application/json"}
UNKNOWN_JOB = "job_01arz3ndektsv4rrffq69g5fav"


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
        b" " * MAX_JOB_BODY_BYTES,
    ],
)
async def test_bodies_that_are_no_job(api: Api, content: bytes) -> None:
    assert await post(api, content) == (400, "invalid_request")


class TestTooLarge:
    async def test_announced(self, api: Api) -> None:
        assert await post(api, b" " * (MAX_JOB_BODY_BYTES + 1)) == (413, "payload_too_large")

    async def test_not_announced(self, api: Api) -> None:
        sent = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(1000):
                sent += 65_536
                yield b" " * 65_536

        assert await post(api, chunks()) == (413, "payload_too_large")
        assert sent < 2 * MAX_JOB_BODY_BYTES

    @pytest.mark.parametrize(
        ("method", "path", "at_most"),
        [
            ("POST", "/v1/jobs", 524_288),
            ("PATCH", f"/v1/jobs/{UNKNOWN_JOB}", 524_288),
            ("POST", f"/v1/jobs/{UNKNOWN_JOB}/run", 16_384),
            ("POST", "/v1/schedules/preview", 16_384),
            ("POST", "/v1/keys", 16_384),
            ("POST", "/v1/workspace/signing-secret/rotate", 16_384),
        ],
    )
    async def test_each_route_has_a_bound_of_its_own_and_names_it(
        self, api: Api, method: str, path: str, at_most: int
    ) -> None:
        within, beyond = [
            await api.http.request(method, path, content=b" " * (at_most + more), headers=JSON) for more in (0, 1)
        ]
        assert (within.status_code, within.json()["code"]) == (400, "invalid_request")
        assert (beyond.status_code, beyond.json()["code"]) == (413, "payload_too_large")
        assert f"at most {at_most} bytes" in beyond.json()["detail"]


async def test_a_large_body_is_decoded_in_a_thread(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def parse(body: bytes) -> Any:
        threads.append(threading.current_thread())
        return parse_json(body)

    monkeypatch.setattr(reading, "parse_json", parse)
    for length in (1000, 100_000):
        body = json.dumps(job_body(payload="x" * length)).encode()
        assert (await post(api, body))[0] == 201
    assert [thread is threading.main_thread() for thread in threads] == [True, False]


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
        ("PUT", "/v1/jobs", "GET, HEAD, OPTIONS, POST"),
        ("TRACE", "/v1/jobs", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/v1/jobs/job_01arz3ndektsv4rrffq69g5fav/logs", "GET, HEAD, OPTIONS"),
        ("DELETE", "/health", "GET, HEAD, OPTIONS"),
    ],
)
async def test_other_methods(api: Api, method: str, path: str, allowed: str) -> None:
    refused = await api.http.request(method, path)
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/jobs", "GET, HEAD, OPTIONS, POST"),
        ("/v1/jobs/job_01arz3ndektsv4rrffq69g5fav", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/v1/keys", "GET, HEAD, OPTIONS, POST"),
        ("/health", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_names_all_methods_and_asks_for_no_key(api: Api, path: str, allowed: str) -> None:
    async with api.sending({}) as http:
        told = await http.options(path)
    assert (told.status_code, told.headers["allow"], told.content) == (204, allowed, b"")
    assert told.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/jobs", "/v1/jobs/a/b/c", "/v1/job", "/%2e%2e/etc/passwd", "/%00"])
async def test_other_paths(api: Api, path: str) -> None:
    refused = await api.http.get(path)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert refused.json()["request_id"] == refused.headers["x-request-id"]


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"cron": "60 * * * *"}, "invalid_cron", "/cron"),
        ({"cron": "0 0 30 2 *"}, "invalid_cron", "/cron"),
        ({"cron": "* * * * * *"}, "invalid_cron", "/cron"),
        ({"cron": "59/15 * * * *"}, "invalid_cron", "/cron"),
        ({"cron": "1" * 10_000}, "invalid_cron", "/cron"),
        ({"timezone": "Mars/Olympus"}, "invalid_timezone", "/timezone"),
        ({"cron": None, "run_at": instant(minutes=-2)}, "invalid_run_at", "/run_at"),
        ({"cron": None, "run_at": instant(days=3700)}, "invalid_run_at", "/run_at"),
        ({"cron": None, "run_at": "2030-01-01T00:00:00"}, "invalid_run_at", "/run_at"),
        ({"cron": None, "run_at": instant(hours=1), "timezone": "UTC"}, "invalid_timezone", "/timezone"),
        ({"cron": None}, "invalid_request", "/cron"),
        ({"run_at": instant(hours=1)}, "invalid_request", "/run_at"),
        ({"callback_url": "http://127.0.0.1/"}, "invalid_callback_url", "/callback_url"),
        ({"callback_url": "ftp://example.com/"}, "invalid_callback_url", "/callback_url"),
        ({"headers": {"webhook-id": "1"}}, "invalid_headers", "/headers/webhook-id"),
        ({"headers": {"a b": "1"}}, "invalid_headers", "/headers/a b"),
        ({"name": "x" * 201}, "invalid_request", "/name"),
        ({"timeout_seconds": 0}, "invalid_request", "/timeout_seconds"),
        ({"payload": "x" * 300_000}, "invalid_request", "/payload"),
        ({"nam": "typo"}, "invalid_request", "/nam"),
    ],
)
async def test_what_cannot_be_stored_says_where_and_why(
    api: Api, fields: dict[str, Any], code: str, pointer: str
) -> None:
    refused = await api.http.post("/v1/jobs", json=job_body(**fields))
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (400, code)
    assert pointer in {error["pointer"] for error in problem["errors"]}
    assert all(error["detail"] for error in problem["errors"])
    assert (await api.http.get("/v1/jobs")).json()["data"] == []


async def test_all_that_is_wrong_is_said_at_once(api: Api) -> None:
    wrong = {
        "name": "",
        "cron": "61 * * * *",
        "timezone": "Europe/Berln",
        "callback_url": "http://127.0.0.1/",
        "headers": {"host": "example.com"},
        "payload": "x" * 300_000,
        "timeout_seconds": 9999,
        "retry_delays_seconds": [-1],
        "tags": ["", "a"],
        "metadata": {"": "a"},
    }
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    for refused in (await api.http.post("/v1/jobs", json=wrong), await api.http.patch(path, json=wrong)):
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (400, "invalid_request")
        assert {f"/{error['pointer'].split('/')[1]}" for error in problem["errors"]} == {f"/{name}" for name in wrong}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=1.0",
        "limit=٣",
        "limit=",
        "limit=1&limit=1",
        "status=deleted",
        "cursor=x",
        "cursor=MTpqb2JfeA",
        "cursor=",
        "q=%00",
        "q=%ff",
        "q=" + "x" * 257,
        "page=2",
        "&".join(f"q{n}=1" for n in range(50)),
    ],
)
async def test_refuses_queries_that_mean_nothing(api: Api, query: str) -> None:
    refused = await api.http.get(f"/v1/jobs?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


async def test_a_cursor_of_another_list_is_none(api: Api) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    await api.http.post("/v1/jobs", json=job_body())
    cursor = (await api.http.get("/v1/jobs?limit=1")).json()["next_cursor"]
    assert (await api.http.get("/v1/jobs", params={"cursor": cursor})).status_code == 200
    refused = await api.http.get(f"{path}/executions", params={"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("host", ["x folded: y", "a b", "[", "a/b"])
async def test_a_host_that_is_none_is_an_answer_that_the_document_knows(api: Api, host: str) -> None:
    for path, methods in document()["paths"].items():
        if "get" in methods and "{" not in path:
            answered = await api.http.get(path, headers={"host": host})
            assert str(answered.status_code) in methods["get"]["responses"], (path, answered.text)


@pytest.mark.parametrize("query", ["limit=201", "offset=10001", "order=up", "status=released", "cursor=x"])
async def test_refuses_queries_of_a_log_that_mean_nothing(api: Api, query: str) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    assert (await api.http.get(f"{path}/logs?{query}")).status_code == 400

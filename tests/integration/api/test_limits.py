"""How much a workspace may store."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cronhook_server.settings import Settings
from tests.integration.api.conftest import Api, Backends, api_over, instant, job_body

PAYLOAD = "x" * 1000


@pytest.fixture
def settings() -> Settings:
    return Settings(
        max_stored_bytes_per_workspace=5000, max_idempotency_records_per_workspace=3, cpu_percent_per_key=100
    )


@pytest.fixture
async def limited(backends: Backends, settings: Settings) -> AsyncIterator[Api]:
    async with api_over(backends, settings) as api:
        yield api


async def test_jobs_that_ended_count_as_stored(limited: Api) -> None:
    for _ in range(4):
        once = job_body(cron=None, run_at=instant(seconds=-30), payload=PAYLOAD)
        path = (await limited.http.post("/v1/jobs", json=once)).headers["location"]
        await limited.http.post(f"{path}/pause")
        assert (await limited.http.post(f"{path}/resume")).json()["status"] == "inactive", "its instant has passed"
    refused = await limited.http.post("/v1/jobs", json=job_body(payload=PAYLOAD))
    assert_quota(refused, "5000 stored bytes")
    refused = await limited.http.patch(path, json={"payload": PAYLOAD * 2})
    assert_quota(refused, "5000 stored bytes")
    workspace = (await limited.http.get("/v1/workspace")).json()
    assert workspace["limits"]["max_stored_bytes"] == 5000
    assert workspace["usage"]["jobs"] == 0
    assert 4000 < workspace["usage"]["stored_bytes"] <= 5000
    assert (await limited.http.delete(path)).status_code == 204
    assert (await limited.http.post("/v1/jobs", json=job_body(payload=PAYLOAD))).status_code == 201


async def test_new_idempotency_keys_are_refused_beyond_their_number_a_day(limited: Api) -> None:
    created = await limited.http.post("/v1/jobs", json=job_body(), headers={"idempotency-key": "0"})
    path = created.headers["location"]
    paths = ["/v1/jobs", f"{path}/pause", f"{path}/run", f"{path}/resume"]

    async def post(path: str, key: str | None) -> Any:
        headers = {} if key is None else {"idempotency-key": key}
        body = {"json": job_body()} if path == "/v1/jobs" else {}
        return await limited.http.post(path, headers=headers, **body)

    for number in (1, 2):
        assert (await post(f"{path}/run", str(number))).status_code == 202
    for number, action in enumerate(paths):
        assert_quota(await post(action, f"new-{number}"), "without an idempotency key")
    assert (await post("/v1/jobs", "0")).content == created.content
    for action in paths:
        assert (await post(action, None)).is_success


def assert_quota(refused: Any, named: str) -> None:
    assert refused.status_code == 429, refused.json()
    assert refused.json()["code"] == "quota_exceeded"
    assert named in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) > 0

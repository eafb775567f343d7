"""The first of equal requests is under way in another process: all that is seen of it is a row that it holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from cronhook_core.engine.job_service import JobService
from cronhook_server import under_way
from cronhook_server.composition import Backends, open_backends
from cronhook_server.settings import Settings
from tests.integration.api.conftest import RANDOM, Api, job_body

pytestmark = pytest.mark.suite("integration")

KEY = {"idempotency-key": "k"}


@pytest.fixture
async def backends(postgres_url: str) -> AsyncIterator[Backends]:
    async with open_backends(Settings(database_url=postgres_url), RANDOM) as backends:
        yield backends


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """Released whenever a request looks whether it is a repeat."""
    seen, refuse_repeat = asyncio.Semaphore(0), JobService.refuse_repeat

    async def noted(*arguments: Any) -> None:
        seen.release()
        await refuse_repeat(*arguments)

    monkeypatch.setattr(JobService, "refuse_repeat", noted)
    return seen


@asynccontextmanager
async def another_process_at_work(postgres_url: str) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(postgres_url) as connection:
        await connection.execute("SELECT id FROM workspaces FOR UPDATE")
        yield
        await connection.rollback()


async def test_a_repeat_waits_for_longer_than_for_one_lock(
    api: Api, postgres_url: str, looks: asyncio.Semaphore
) -> None:
    async with another_process_at_work(postgres_url):
        asked = asyncio.create_task(api.http.post("/v1/jobs", json=job_body(), headers=KEY))
        for _ in range(2):
            await looks.acquire()
    answered = await asked
    assert answered.status_code == 201
    repeated = await api.http.post("/v1/jobs", json=job_body(), headers=KEY)
    assert (repeated.status_code, repeated.content) == (201, answered.content)


async def test_and_not_for_ever(api: Api, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = (await api.http.post("/v1/jobs", json=job_body())).json()
    monkeypatch.setattr(under_way, "WAIT_SECONDS", 0.05)
    paths = ("/v1/jobs", f"/v1/jobs/{job['id']}/run", f"/v1/jobs/{job['id']}/pause")
    bodies = (job_body(), None, None)
    async with another_process_at_work(postgres_url):
        asked = [
            api.http.post(path, json=body, headers=headers)
            for headers in (KEY, {})
            for path, body in zip(paths, bodies, strict=True)
        ]
        answers = await asyncio.gather(*asked)
    told = [(answer.status_code, answer.json()["code"]) for answer in answers]
    assert told == [(409, "idempotency_in_progress")] * 3 + [(503, "unavailable")] * 3
    for path, body in zip(paths, bodies, strict=True):
        assert (await api.http.post(path, json=body, headers=KEY)).is_success

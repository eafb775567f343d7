"""The table of callback URLs at the doors of the API: none of the refused ones is stored, whichever way it comes."""

import json
from collections.abc import AsyncIterator

import pytest
from attrs import evolve

from cronhook_server.composition import Backends
from tests.integration.api.conftest import Api, job_body, memory_backends
from tests.unit.targets.urls import ALLOWED, REFUSED

JSON = {"content-type": "application/json"}
GOOD = "https://example.com/hook"


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    """No store matters here: what is refused reaches none."""
    async with memory_backends() as backends:
        yield backends


def code_of(url: str) -> str:
    """What no database takes is refused as text, before it is anything else."""
    return "invalid_request" if "\0" in url or "\ud800" in url else "invalid_callback_url"


async def test_create(api: Api) -> None:
    for url in REFUSED:
        refused = await api.http.post("/v1/jobs", content=json.dumps(job_body(callback_url=url)), headers=JSON)
        assert (refused.status_code, refused.json()["code"]) == (400, code_of(url)), url
    assert (await api.http.get("/v1/jobs")).json()["data"] == []


async def test_patch(api: Api) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body(callback_url=GOOD))).headers["location"]
    for url in REFUSED:
        refused = await api.http.patch(path, content=json.dumps({"callback_url": url}), headers=JSON)
        assert (refused.status_code, refused.json()["code"]) == (400, code_of(url)), url
    assert (await api.http.get(path)).json()["callback_url"] == GOOD


async def test_patch_of_another_field_judges_what_is_stored(api: Api) -> None:
    """A rule that came with an update of cronhook holds for jobs that were stored before it, once they are touched."""
    path = (await api.http.post("/v1/jobs", json=job_body(callback_url=GOOD))).headers["location"]
    store, now = api.backends.store, api.backends.clock.now()
    job = await store.get_job(api.workspace_id, path.rpartition("/")[2])
    assert job is not None
    older = job.changed(now, definition=evolve(job.definition, callback_url="http://127.0.0.1/"))
    assert await store.change_job(older, expected=job, cancel=None, max_jobs=None, now=now)
    assert (await api.http.patch(path, json={"name": "new"})).json()["code"] == "invalid_callback_url"


@pytest.mark.parametrize("door", ["create", "patch"])
async def test_what_may_be_called(api: Api, door: str) -> None:
    for url, (requested, _, _) in ALLOWED.items():
        created = await api.http.post("/v1/jobs", json=job_body(callback_url=url if door == "create" else GOOD))
        path = created.headers["location"]
        if door == "patch":
            assert (await api.http.patch(path, json={"callback_url": url})).status_code == 200
        assert (await api.http.get(path)).json()["callback_url"] == requested

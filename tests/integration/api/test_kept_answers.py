"""What is stored to answer a repeated request again."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from cronhook_core.backends.sql.tables import idempotency_records
from tests.integration.api.conftest import Api, job_body

LONG_BEFORE, LONG_AFTER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)
PAYLOAD = {"numbers": [0.1, 1e3, 2**60, "é", None], "long": "x" * 200_000}

on_disk = pytest.mark.parametrize("backends", ["sqlite", "postgres"], indirect=True)


async def stored_bytes(api: Api) -> int:
    """Of all answers that are kept."""
    store: Any = api.backends.store
    total: int = await store._database.read(
        lambda connection: connection.execute(
            select(func.coalesce(func.sum(func.length(idempotency_records.c.body)), 0))
        ).scalar_one()
    )
    return total


@on_disk
async def test_answers_are_kept_without_payloads(api: Api) -> None:
    created = await api.http.post("/v1/jobs", json=job_body(payload=PAYLOAD), headers={"idempotency-key": "create"})
    path = created.headers["location"]
    for number in range(5):
        for action in ("pause", "resume", "run"):
            answered = await api.http.post(f"{path}/{action}", headers={"idempotency-key": f"{action}-{number}"})
            assert answered.is_success
    assert 0 < await stored_bytes(api) < 16 * 1024


async def test_a_repeated_creation_shows_its_payload_whatever_became_of_the_job(api: Api) -> None:
    body, headers = job_body(payload=PAYLOAD), {"idempotency-key": "k"}
    first = await api.http.post("/v1/jobs", json=body, headers=headers)
    assert first.json()["payload"] == PAYLOAD
    repeats = [await api.http.post("/v1/jobs", json=body, headers=headers)]
    path = first.headers["location"]
    assert (await api.http.patch(path, json={"payload": "another", "name": "another"})).is_success
    repeats.append(await api.http.post("/v1/jobs", json=body, headers=headers))
    assert (await api.http.delete(path)).is_success
    repeats.append(await api.http.post("/v1/jobs", json=body, headers=headers))
    assert await api.backends.store.prune_jobs(LONG_AFTER, 10) == 1
    repeats.append(await api.http.post("/v1/jobs", json=body, headers=headers))
    for repeat in repeats:
        assert (repeat.status_code, repeat.content) == (201, first.content)
        assert repeat.headers["location"] == path


@pytest.mark.parametrize("action", ["pause", "resume"])
async def test_a_repeated_action_shows_the_payload_of_the_job_as_it_is(api: Api, action: str) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body(payload=PAYLOAD))).headers["location"]
    headers = {"idempotency-key": "k"}
    first = await api.http.post(f"{path}/{action}", headers=headers)
    assert first.json()["payload"] == PAYLOAD
    repeated = await api.http.post(f"{path}/{action}", headers=headers)
    assert (repeated.status_code, repeated.content) == (200, first.content)
    await api.http.patch(path, json={"payload": "another", "name": "another"})
    repeated = await api.http.post(f"{path}/{action}", headers=headers)
    assert repeated.json() == first.json() | {"payload": "another"}
    await api.http.delete(path)
    for pruned in (0, 1):
        assert await api.backends.store.prune_jobs(LONG_AFTER if pruned else LONG_BEFORE, 10) == pruned
        repeated = await api.http.post(f"{path}/{action}", headers=headers)
        assert (repeated.status_code, repeated.json()) == (200, first.json() | {"payload": None})


async def test_fields_that_are_named_like_the_payload_are_no_matter(api: Api) -> None:
    body = job_body(payload={"payload": '","payload":'}, metadata={"payload": ',"payload":', "timeout_seconds": "1"})
    headers = {"idempotency-key": "k"}
    first = await api.http.post("/v1/jobs", json=body, headers=headers)
    repeated = await api.http.post("/v1/jobs", json=body, headers=headers)
    assert repeated.content == first.content
    assert (first.json()["payload"], first.json()["metadata"]) == (body["payload"], body["metadata"])

"""What a thief of the database, or of a backup, finds of secrets: nothing."""

import hashlib
from pathlib import Path
from random import SystemRandom

import psycopg
import pytest

from cronhook_core.backends.header_vault import AesGcmHeaderVault
from cronhook_core.backends.sqlite import SqliteDatabase
from cronhook_core.domain.sealed_values import is_sealed
from tests.canaries import SECRET_KEY, canary
from tests.integration.api.conftest import Api, job_body

NAMES = ("authorization", "cookie", "x-api-key")
HEADERS = {name: canary(name) for name in NAMES}
CANARIES = (*HEADERS.values(), SECRET_KEY)


async def filled(api: Api) -> tuple[str, ...]:
    """Secrets through every door that stores something; all that must not be found."""
    created = await api.http.post("/v1/jobs", json=job_body(headers=HEADERS), headers={"idempotency-key": "one"})
    path = created.headers["location"]
    assert created.json()["headers"] == dict.fromkeys(HEADERS, "***")
    await api.http.post(path + "/pause", headers={"idempotency-key": "two"})
    patched = await api.http.patch(path, json={"headers": HEADERS | {"x-token": canary("token")}})
    assert patched.status_code == 200
    key = (await api.http.post("/v1/keys", json={"name": "k", "scopes": ["read"]})).json()["key"]
    rotated = await api.http.post("/v1/workspace/signing-secret/rotate", json={})
    secret: str = rotated.json()["secret"]
    return (*CANARIES, canary("token"), key, api.http.headers["x-api-key"], secret, secret.removeprefix("whsec_"))


@pytest.mark.parametrize("backends", ["sqlite"], indirect=True)
async def test_nothing_in_the_files_of_sqlite(api: Api, tmp_path: Path) -> None:
    canaries = await filled(api)
    repeatable = await api.http.post("/v1/jobs", json=job_body(), headers={"idempotency-key": "three"})
    async with SqliteDatabase.open(tmp_path / "cronhook.db") as database:
        await database.backup(tmp_path / "backup.db")
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert {"cronhook.db", "backup.db"} <= {path.name for path in files}
    content = b"".join(path.read_bytes() for path in files)
    assert b"https://example.com/hook" in content, "else nothing was looked at"
    assert [canary for canary in canaries if canary.encode() in content] == []
    assert hashlib.sha256(repeatable.request.content).digest() not in content, "it would tell what was guessed"


@pytest.mark.parametrize("backends", ["postgres"], indirect=True)
async def test_nothing_in_the_tables_of_postgres(api: Api, postgres_url: str) -> None:
    canaries = await filled(api)
    with psycopg.connect(postgres_url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [row for (name,) in names for row in connection.execute(f'SELECT t::text FROM "{name}" t').fetchall()]
    content = "\n".join(text for (text,) in rows)
    assert "https://example.com/hook" in content, "else nothing was looked at"
    hexes = [canary.encode().hex() for canary in canaries]  # as bytea is shown
    assert [canary for canary in (*canaries, *hexes) if canary in content] == []


async def test_what_is_stored_opens_under_the_secret_key(api: Api) -> None:
    created = await api.http.post("/v1/jobs", json=job_body(headers=HEADERS))
    job = await api.backends.store.get_job(api.workspace_id, created.json()["id"])
    assert job is not None
    vault = AesGcmHeaderVault(SECRET_KEY)
    for name, value in job.definition.headers:
        assert is_sealed(value)
        assert vault.open(value, job_id=job.id, name=name) == HEADERS[name]


async def test_claims_bring_what_is_sealed(api: Api) -> None:
    """Each store's claim hands over what is stored, and the worker opens it."""
    created = await api.http.post("/v1/jobs", json=job_body(headers=HEADERS))
    job_id = created.json()["id"]
    queued = await api.http.post(f"/v1/jobs/{job_id}/run")
    store, now = api.backends.store, api.backends.clock.now()
    worker_id = f"wrk_{SystemRandom().getrandbits(32):x}"
    await store.register_worker(worker_id, now)
    [claim] = await store.claim([queued.json()["id"]], worker_id=worker_id, now=now)
    assert canary("cookie") not in repr(claim)
    assert all(is_sealed(value) for _, value in claim.headers)


async def test_a_job_cannot_be_given_the_sealed_value_of_another(api: Api) -> None:
    created = await api.http.post("/v1/jobs", json=job_body(headers=HEADERS))
    job = await api.backends.store.get_job(api.workspace_id, created.json()["id"])
    assert job is not None
    sealed = dict(job.definition.headers)
    assert (await api.http.post("/v1/jobs", json=job_body(headers=sealed))).json()["code"] == "invalid_headers"
    other = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    assert (await api.http.patch(other, json={"headers": sealed})).json()["code"] == "invalid_headers"


async def test_refusals_do_not_repeat_values(api: Api) -> None:
    for headers in (
        {"authorization": "canary-\u00e4"},
        {"authorization": " canary-edge"},
        {"authorization": "canary\r\nx: y"},
        {"authorization": "canary" * 1000},
        {"authorization": ["canary-list"]},
        {"host": "canary-host"},
        {"x-token": "canary-1", "X-Token": "canary-2"},
    ):
        refused = await api.http.post("/v1/jobs", json=job_body(headers=headers))
        assert refused.status_code == 400
        assert "canary" not in refused.text

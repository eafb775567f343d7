"""Keys, the workspace, signing secrets, and guessing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from cronhook_core.domain.api_key import Scope
from tests.integration.api.conftest import Api, instant, job_body

ADMIN_ROUTES = [
    ("GET", "/v1/keys"),
    ("POST", "/v1/keys"),
    ("DELETE", "/v1/keys/key_01arz3ndektsv4rrffq69g5fav"),
    ("POST", "/v1/keys/key_01arz3ndektsv4rrffq69g5fav/rotate"),
    ("GET", "/v1/workspace/signing-secret"),
    ("POST", "/v1/workspace/signing-secret/rotate"),
]


@pytest.mark.parametrize(("method", "path"), ADMIN_ROUTES)
async def test_keys_and_secrets_are_for_admins(api: Api, method: str, path: str) -> None:
    async with api.another("default", Scope.READ, Scope.WRITE) as other:
        refused = await other.http.request(method, path)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_a_key_is_made_used_listed_and_revoked(api: Api) -> None:
    body = {"name": "ci", "scopes": ["read"], "expires_at": instant(days=1)}
    created = await api.http.post("/v1/keys", json=body)
    assert created.status_code == 201
    text = created.json().pop("key")
    async with api.sending({"x-api-key": text}) as http:
        assert (await http.get("/v1/jobs")).status_code == 200
        assert (await http.post("/v1/jobs", json=job_body())).status_code == 403
        listed = (await api.http.get("/v1/keys")).json()
        mine = next(key for key in listed["data"] if key["id"] == created.json()["id"])
        assert text not in str(listed)
        assert text.startswith(mine["prefix"])
        assert (mine["name"], mine["scopes"]) == ("ci", ["read"])
        assert mine["last_used_at"] is not None
        for _ in range(2):
            assert (await api.http.delete(f"/v1/keys/{mine['id']}")).status_code == 204
        assert (await http.get("/v1/jobs")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "scopes": ["read"]},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["root"]},
        {"name": "a", "scopes": ["read", "read"]},
        {"name": "a", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "a"},
    ],
)
async def test_keys_that_cannot_be_made(api: Api, body: dict[str, Any]) -> None:
    assert (await api.http.post("/v1/keys", json=body)).status_code == 400


async def test_rotation_keeps_the_old_key_for_the_grace(api: Api) -> None:
    rotated = await api.http.post(f"/v1/keys/{api.key_id}/rotate", json={"grace_seconds": 60})
    assert rotated.status_code == 201
    assert rotated.json()["expires_at"] is None
    assert (await api.http.get("/v1/jobs")).status_code == 200
    again = await api.http.post(f"/v1/keys/{api.key_id}/rotate", json={"grace_seconds": 60})
    assert again.status_code == 409
    assert "replaced already" in again.json()["detail"]
    [old] = [key for key in (await api.http.get("/v1/keys")).json()["data"] if key["id"] == api.key_id]
    assert old["expires_at"] is not None
    assert old["revoked_at"] is None
    async with api.sending({"x-api-key": rotated.json()["key"]}) as http:
        path = f"/v1/keys/{rotated.json()['id']}/rotate"
        assert (await http.post(path, json={"grace_seconds": -1})).status_code == 400
        assert (await http.post(path)).status_code == 201
        assert (await http.get("/v1/jobs")).status_code == 401
    assert (await api.http.post(path)).status_code == 409


async def test_a_workspace_has_a_hundred_keys_and_no_more(api: Api) -> None:
    made = [await api.http.post("/v1/keys", json={"name": "k", "scopes": ["read"]}) for _ in range(99)]
    assert {answer.status_code for answer in made} == {201}
    path = f"/v1/keys/{made[0].json()['id']}"
    refused = [
        await api.http.post("/v1/keys", json={"name": "k", "scopes": ["read"]}),
        await api.http.post(f"{path}/rotate", json={"grace_seconds": 60}),
    ]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert {answer.json()["code"] for answer in refused} == {"quota_exceeded"}
    assert "100 API keys" in refused[0].json()["detail"]
    assert (await api.http.post(f"{path}/rotate")).status_code == 201
    async with api.another("other workspace") as other:
        assert (await other.http.post("/v1/keys", json={"name": "k", "scopes": ["read"]})).status_code == 201


async def test_answers_that_hold_secrets_are_not_repeated(api: Api) -> None:
    for path in ("/v1/keys", f"/v1/keys/{api.key_id}/rotate", "/v1/workspace/signing-secret/rotate"):
        refused = await api.http.post(path, json={}, headers={"idempotency-key": "k"})
        assert refused.status_code == 400


async def test_the_workspace_shows_limits_beside_usage(api: Api) -> None:
    job = (await api.http.post("/v1/jobs", json=job_body())).json()
    await api.http.post(f"/v1/jobs/{job['id']}/run")
    assert (await api.http.get("/v1/workspace")).json() == {
        "id": api.workspace_id,
        "name": "default",
        "limits": {
            "max_jobs": 100,
            "max_queued_executions": 100_000,
            "max_queued_executions_per_job": 10_000,
            "max_stored_bytes": 1024**3,
        },
        "usage": {
            "jobs": 1,
            "queued_executions": 1,
            "stored_bytes": len("reporthttps://example.com/hooknull"),
        },
    }


async def test_a_signing_secret_is_rotated(api: Api) -> None:
    path = "/v1/workspace/signing-secret"
    first = (await api.http.get(path)).json()
    assert (first["version"], first["previous_expires_at"]) == (1, None)
    assert first["secret"].startswith("whsec_")
    second = (await api.http.post(f"{path}/rotate", json={"grace_seconds": 60})).json()
    assert second["version"] == 2
    assert second["previous_expires_at"] is not None
    assert second["secret"] != first["secret"]
    assert (await api.http.get(path)).json() == second
    third = (await api.http.post(f"{path}/rotate", json={"grace_seconds": 0})).json()
    assert (third["version"], third["previous_expires_at"]) == (3, None), "the one before it is good no more"


class TestPreview:
    async def test_instants_and_warnings(self, api: Api) -> None:
        body = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "after": "2026-03-27T12:00:00Z", "count": 2}
        shown = (await api.http.post("/v1/schedules/preview", json=body)).json()
        assert shown["data"][0] == {"at": "2026-03-28T01:30:00Z", "local": "2026-03-28T02:30:00+01:00"}
        assert len(shown["data"]) == 2
        assert shown["warnings"]
        assert (await api.http.get("/v1/jobs")).json()["data"] == []

    @pytest.mark.parametrize("fields", [{"cron": "x"}, {"count": 0}, {"count": 101}, {"cron": None}, {"x": 1}])
    async def test_what_cannot_be_previewed(self, api: Api, fields: dict[str, Any]) -> None:
        answered = await api.http.post("/v1/schedules/preview", json={"cron": "* * * * *"} | fields)
        assert answered.status_code == 400


class TestEnds:
    async def test_a_key_expires(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        body = {"name": "short", "scopes": ["read"], "expires_at": instant(hours=1)}
        text = (await api.http.post("/v1/keys", json=body)).json()["key"]
        async with api.sending({"x-api-key": text}) as http:
            assert (await http.get("/v1/jobs")).status_code == 200
            now = api.backends.clock.now()
            monkeypatch.setattr(type(api.backends.clock), "now", lambda _: now + timedelta(hours=1, seconds=1))
            refused = await http.get("/v1/jobs")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")

    async def test_the_old_key_ends_with_its_grace(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        rotated = await api.http.post(f"/v1/keys/{api.key_id}/rotate", json={"grace_seconds": 60})
        now = api.backends.clock.now()
        monkeypatch.setattr(type(api.backends.clock), "now", lambda _: now + timedelta(seconds=61))
        assert (await api.http.get("/v1/jobs")).status_code == 401
        async with api.sending({"x-api-key": rotated.json()["key"]}) as http:
            assert (await http.get("/v1/jobs")).status_code == 200

    async def test_of_rotations_at_once_one_takes_place(self, api: Api) -> None:
        made = (await api.http.post("/v1/keys", json={"name": "raced", "scopes": ["read"]})).json()
        path = f"/v1/keys/{made['id']}/rotate"
        answers = await asyncio.gather(*(api.http.post(path) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
        names = [key["name"] for key in (await api.http.get("/v1/keys")).json()["data"]]
        assert names.count("raced") == 2


async def test_the_use_of_a_key_is_recorded_once_a_minute(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    touch = api.backends.accounts.touch_keys

    async def counted(used: Any) -> None:
        written.extend(key_id for key_id, _ in used)
        await touch(used)

    monkeypatch.setattr(type(api.backends.accounts), "touch_keys", lambda _, used: counted(used))
    await asyncio.gather(*(api.http.get("/v1/workspace") for _ in range(20)))
    assert (await api.http.get("/v1/workspace")).status_code == 200
    assert 1 <= len(written) <= 20
    seen = len(written)
    await asyncio.gather(*(api.http.get("/v1/workspace") for _ in range(20)))
    assert len(written) == seen
    now = api.backends.clock.now()
    monkeypatch.setattr(type(api.backends.clock), "now", lambda _: now + timedelta(seconds=61))
    await api.http.get("/v1/workspace")
    assert len(written) == seen + 1

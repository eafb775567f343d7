from typing import Any

import pytest

from cronhook_core.domain.api_key import Scope, key_from_bits
from cronhook_server.key_service import KeyService
from tests.integration.api.conftest import Api, job_body

ROUTES = [
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/job_01arz3ndektsv4rrffq69g5fav"),
    ("DELETE", "/v1/jobs/job_01arz3ndektsv4rrffq69g5fav"),
    ("GET", "/v1/jobs/job_01arz3ndektsv4rrffq69g5fav/logs"),
]


async def revoked(keys: KeyService, workspace_id: str) -> str:
    key, text = await keys.create(workspace_id, name="revoked", scopes=tuple(Scope))
    await keys.revoke(workspace_id, key.id)
    return text


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_all_keys_that_are_not_valid_get_one_answer(api: Api, method: str, path: str) -> None:
    wrong_headers: list[dict[str, Any]] = [
        {},
        {"x-api-key": ""},
        {"x-api-key": "chk_wrong"},
        {"x-api-key": b"chk_" + "ä".encode() * 49},
        {"x-api-key": key_from_bits(1)},
        {"x-api-key": await revoked(api.keys, api.workspace_id)},
        {"authorization": "Bearer " + api.http.headers["x-api-key"]},
    ]
    answers = set()
    for headers in wrong_headers:
        async with api.sending(headers) as http:
            refused = await http.request(method, path, content=b"{", headers={"content-type": "text/plain"})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"]
        body = refused.json()
        body.pop("request_id")
        answers.add(str(body))
    assert len(answers) == 1


async def test_two_keys_at_once_are_none(api: Api) -> None:
    key = api.http.headers["x-api-key"]
    async with api.sending([("x-api-key", key), ("x-api-key", key)]) as http:
        assert (await http.get("/v1/jobs")).status_code == 401


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_valid_key_needs_the_scope(api: Api, method: str, path: str) -> None:
    needed = Scope.READ if method == "GET" else Scope.WRITE
    others = [scope for scope in Scope if scope is not needed]
    async with api.another("default", *others) as other:
        refused = await other.http.request(method, path)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert needed.value in refused.json()["detail"]
    async with api.another("default", needed) as other:
        assert (await other.http.request(method, path)).status_code not in (401, 403)


async def test_a_revoked_key_ends_at_once(api: Api) -> None:
    assert (await api.http.post("/v1/jobs", json=job_body())).status_code == 201
    await api.keys.revoke(api.workspace_id, api.key_id)
    assert (await api.http.get("/v1/jobs")).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz"])
async def test_probes_need_no_key(api: Api, path: str) -> None:
    async with api.sending({}) as http:
        assert (await http.get(path)).status_code == 200

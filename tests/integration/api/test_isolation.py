"""Two workspaces: what is foreign is answered exactly as what is unknown, by every operation that takes an id."""

import re
from typing import Any

import attrs
import httpx
import pytest

from cronhook_server.openapi.document import document
from tests.integration.api.conftest import Api, job_body

UNKNOWN = "01arz3ndektsv4rrffq69g5fav"
BODIES = {"update_job": {"name": "theirs"}}


def operations() -> list[tuple[str, str, str]]:
    """The name, method and path of every operation of the document that takes an id."""
    return [
        (operation["operationId"], method.upper(), path)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if "{" in path
    ]


@attrs.frozen(kw_only=True)
class Owned:
    """Ids in one workspace, by the parameter of a path that takes them, and that workspace as its owner sees it."""

    api: Api
    ids: dict[str, str]

    async def seen(self) -> list[Any]:
        paths = ["/v1/jobs/{job_id}", "/v1/executions/{execution_id}", "/v1/jobs/{job_id}/executions", "/v1/keys"]
        return [_without_use((await self.api.http.get(path.format(**self.ids))).json()) for path in paths]


@pytest.fixture
async def owned(api: Api) -> Owned:
    job = (await api.http.post("/v1/jobs", json=job_body())).json()
    run = (await api.http.post(f"/v1/jobs/{job['id']}/run")).json()
    key = (await api.http.post("/v1/keys", json={"name": "mine", "scopes": ["read"]})).json()
    return Owned(api=api, ids={"job_id": job["id"], "execution_id": run["id"], "key_id": key["id"]})


async def test_foreign_is_unknown(owned: Owned) -> None:
    before = await owned.seen()
    asked = operations()
    assert {parameter for _, _, path in asked for parameter in re.findall(r"{(\w+)}", path)} == owned.ids.keys()
    async with owned.api.another("strangers") as stranger:
        for name, method, path in asked:
            (parameter,) = re.findall(r"{(\w+)}", path)
            own_kind = owned.ids[parameter].split("_")[0]
            candidates = [f"{own_kind}_{UNKNOWN}", owned.ids[parameter], *owned.ids.values(), owned.api.workspace_id]
            answers = [
                await _asked(stranger.http, method, path.format(**{parameter: candidate}), candidate, BODIES.get(name))
                for candidate in candidates
            ]
            assert answers[0][0] == 404, (name, answers[0])
            assert answers == [answers[0]] * len(candidates), name
        for path in ("/v1/jobs", "/v1/keys"):
            listed = (await stranger.http.get(path)).text
            assert not any(identifier in listed for identifier in owned.ids.values())
    assert await owned.seen() == before


async def test_a_cursor_of_another_workspace_shows_nothing_of_it(owned: Owned) -> None:
    await owned.api.http.post("/v1/jobs", json=job_body())
    cursor = (await owned.api.http.get("/v1/jobs?limit=1")).json()["next_cursor"]
    async with owned.api.another("strangers") as stranger:
        shown = await stranger.http.get("/v1/jobs", params={"cursor": cursor})
    assert shown.json() == {"data": [], "next_cursor": None}


async def _asked(http: httpx.AsyncClient, method: str, path: str, identifier: str, body: Any) -> tuple[int, Any]:
    answered = await http.request(method, path, json=body)
    told = answered.json()
    assert told.pop("request_id") == answered.headers["x-request-id"]
    return answered.status_code, {name: str(value).replace(identifier, "ID") for name, value in told.items()}


def _without_use(told: Any) -> Any:
    for key in told.get("data", ()):
        key.pop("last_used_at", None)
    return told

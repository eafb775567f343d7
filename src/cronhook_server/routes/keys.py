"""API keys. Their answers hold secrets: they are never stored, so an ``idempotency-key`` is refused."""

from __future__ import annotations

from litestar import Controller, delete, get, post

from cronhook_core.domain.api_key import Scope
from cronhook_core.wire.converter import read_request
from cronhook_core.wire.v1 import KeyList, KeyMade, KeyRead, KeyRotate, KeyWrite
from cronhook_server.admission import requires
from cronhook_server.answering import Answer, respond_with
from cronhook_server.api_request import ApiRequest
from cronhook_server.grace import grace_of
from cronhook_server.reading import Query, read_json_body, read_optional_json, refuse_idempotency

_ADMIN = requires(Scope.ADMIN)
"""On each route, for OPTIONS asks for no key."""


class KeyRoutes(Controller):
    path = "/v1/keys"

    @post(opt=_ADMIN)
    async def create(self, request: ApiRequest) -> Answer:
        Query(request)
        refuse_idempotency(request)
        _, value = await read_json_body(request)
        asked = read_request(value, KeyWrite)
        key, text = await request.services.keys.create(
            request.caller.workspace_id, name=asked.name, scopes=asked.scopes, expires_at=asked.expires_at
        )
        return respond_with(KeyMade.showing(key, text), status=201)

    @get(opt=_ADMIN)
    async def list_all(self, request: ApiRequest) -> Answer:
        Query(request)
        keys = await request.services.keys.list(request.caller.workspace_id)
        return respond_with(KeyList(data=tuple(map(KeyRead.of, keys))))

    @delete("/{key_id:str}", opt=_ADMIN, status_code=204)
    async def revoke(self, request: ApiRequest) -> None:
        Query(request)
        await request.services.keys.revoke(request.caller.workspace_id, request.path_id("key"))

    @post("/{key_id:str}/rotate", opt=_ADMIN)
    async def rotate(self, request: ApiRequest) -> Answer:
        Query(request)
        key_id = request.path_id("key")
        refuse_idempotency(request)
        asked = read_request(await read_optional_json(request), KeyRotate)
        key, text = await request.services.keys.rotate(
            request.caller.workspace_id, key_id, grace=grace_of(asked.grace_seconds)
        )
        return respond_with(KeyMade.showing(key, text), status=201)

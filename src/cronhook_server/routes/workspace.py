"""The caller's workspace, and the secret that signs its webhooks."""

from __future__ import annotations

from litestar import Controller, get, post

from cronhook_core.domain.api_key import Scope
from cronhook_core.errors import NotFound
from cronhook_core.wire.converter import read_request
from cronhook_core.wire.v1 import SecretRotate, Usage, WorkspaceRead
from cronhook_server.admission import requires
from cronhook_server.answering import Answer, respond_with
from cronhook_server.api_request import ApiRequest
from cronhook_server.grace import grace_of
from cronhook_server.reading import Query, read_optional_json, refuse_idempotency


class WorkspaceRoutes(Controller):
    path = "/v1/workspace"

    @get(opt=requires(Scope.READ))
    async def get_one(self, request: ApiRequest) -> Answer:
        Query(request)
        services, workspace_id = request.services, request.caller.workspace_id
        workspace = await services.accounts.get_workspace(workspace_id)
        if workspace is None:
            raise NotFound("workspace", workspace_id)
        usage = Usage(
            jobs=await services.jobs.count(workspace_id),
            queued_executions=await services.jobs.count_queued(workspace_id),
            stored_bytes=await services.jobs.stored_bytes(workspace_id),
        )
        return respond_with(WorkspaceRead.of(workspace, limits=services.settings.limits, usage=usage))

    @get("/signing-secret", opt=requires(Scope.ADMIN))
    async def get_secret(self, request: ApiRequest) -> Answer:
        Query(request)
        return respond_with(await request.services.signing_secrets.current(request.caller.workspace_id))

    @post("/signing-secret/rotate", opt=requires(Scope.ADMIN))
    async def rotate_secret(self, request: ApiRequest) -> Answer:
        Query(request)
        refuse_idempotency(request)
        asked = read_request(await read_optional_json(request), SecretRotate)
        rotated = await request.services.signing_secrets.rotate(
            request.caller.workspace_id, grace=grace_of(asked.grace_seconds)
        )
        return respond_with(rotated)

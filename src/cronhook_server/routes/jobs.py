"""Jobs: stored, listed, read and deleted."""

from __future__ import annotations

from litestar import Controller, delete, get, post

from cronhook_core.domain.api_key import Scope
from cronhook_core.domain.idempotency import StoredAnswer
from cronhook_core.domain.job import Job, JobStatus
from cronhook_core.errors import AlreadyAnswered
from cronhook_core.ports.job_catalog import JobFilter
from cronhook_core.wire.converter import read_request
from cronhook_core.wire.v1 import JobPage, JobRead, JobWrite
from cronhook_server.answering import AnyResponse, answer, respond, respond_with
from cronhook_server.api_request import ApiRequest
from cronhook_server.auth import requires
from cronhook_server.reading import Query, idempotency_of, read_json_body
from cronhook_server.routes.paging import before_of, limit_of, page_of


class JobRoutes(Controller):
    path = "/v1/jobs"

    @post(guards=[requires(Scope.WRITE)])
    async def create(self, request: ApiRequest) -> AnyResponse:
        body, value = await read_json_body(request)
        services = request.services
        definition = read_request(value, JobWrite).to_definition(default_timeout=services.settings.request_timeout)
        idempotency = idempotency_of(request, body, _created)
        try:
            job = await services.jobs.create(request.caller.workspace_id, definition, idempotency=idempotency)
        except AlreadyAnswered as earlier:
            return respond(earlier.answer)
        return respond(_created(job))

    @get(guards=[requires(Scope.READ)])
    async def list_page(self, request: ApiRequest) -> AnyResponse:
        query = Query(request, "status", "tag", "q", "limit", "cursor")
        matching = JobFilter(status=query.word("status", JobStatus), tag=query.text("tag"), text=query.text("q"))
        limit, before_id = limit_of(query), before_of(query, "job")
        workspace_id = request.caller.workspace_id
        found = await request.services.jobs.list(workspace_id, matching, limit=limit + 1, before_id=before_id)
        jobs, cursor = page_of(found, limit, lambda job: job.id)
        return respond_with(JobPage(data=tuple(map(JobRead.of, jobs)), next_cursor=cursor))

    @get("/{job_id:str}", guards=[requires(Scope.READ)])
    async def get_one(self, request: ApiRequest) -> AnyResponse:
        Query(request)
        job = await request.services.jobs.get(request.caller.workspace_id, request.path_id("job"))
        return respond_with(JobRead.of(job))

    @delete("/{job_id:str}", guards=[requires(Scope.WRITE)], status_code=204)
    async def delete_one(self, request: ApiRequest) -> None:
        Query(request)
        await request.services.jobs.delete(request.caller.workspace_id, request.path_id("job"))


def _created(job: Job) -> StoredAnswer:
    return answer(JobRead.of(job), status=201, headers={"location": f"/v1/jobs/{job.id}"})

"""Jobs: stored, listed, read, changed and deleted."""

from __future__ import annotations

from functools import partial

from litestar import Controller, delete, get, patch, post

from cronhook_core.domain.api_key import Scope
from cronhook_core.domain.idempotency import StoredAnswer
from cronhook_core.domain.job import NULL_PAYLOAD, Job, JobStatus
from cronhook_core.errors import NotFound
from cronhook_core.ports.job_catalog import JobFilter
from cronhook_core.wire.converter import read_request
from cronhook_core.wire.job_patch import names_schedule, patched
from cronhook_core.wire.strict_json import render_json
from cronhook_core.wire.v1 import JobPage, JobRead, JobWrite
from cronhook_server.admission import requires
from cronhook_server.answering import Answer, job_answer, respond_with, with_payload
from cronhook_server.api_request import ApiRequest
from cronhook_server.once import once
from cronhook_server.reading import MAX_JOB_BODY_BYTES, Query, idempotency_of, read_action, read_json_body
from cronhook_server.routes.executions import queued
from cronhook_server.routes.including import Include
from cronhook_server.routes.paging import MAX_PAGE_BYTES, before_of, bytes_of_page, limit_of, page_of


class JobRoutes(Controller):
    path = "/v1/jobs"

    @post(opt=requires(Scope.WRITE))
    async def create(self, request: ApiRequest) -> Answer:
        Query(request)
        body, value = await read_json_body(request, at_most=MAX_JOB_BODY_BYTES)
        services, workspace_id = request.services, request.caller.workspace_id
        idempotency = idempotency_of(request, body, _created_kept)

        async def store() -> Job:
            definition = read_request(value, JobWrite).to_definition(
                default_timeout=services.settings.request_timeout, check_target=services.jobs.check_target
            )
            return await services.jobs.create(workspace_id, definition, idempotency=idempotency)

        async def payload() -> bytes:
            """A repeat has the body of the first request, byte for byte."""
            return render_json(value.get("payload"))

        return await once(request, idempotency, _created, store, payload)

    @get(opt=requires(Scope.READ))
    async def list_page(self, request: ApiRequest) -> Answer:
        query = Query(request, "status", "tag", "q", "include", "limit", "cursor")
        with_payload = query.word("include", Include) is Include.PAYLOAD
        matching = JobFilter(status=query.word("status", JobStatus), tag=query.text("tag"), text=query.text("q"))
        limit, before_id = limit_of(query), before_of(query, "job")
        workspace_id = request.caller.workspace_id
        page_bytes = MAX_PAGE_BYTES if with_payload else bytes_of_page(limit)
        await request.hold(page_bytes)
        found = await request.services.jobs.list(
            workspace_id,
            matching,
            limit=limit + 1,
            before_id=before_id,
            with_payload=with_payload,
            max_bytes=page_bytes,
        )
        jobs, cursor = page_of(
            found, limit, lambda job: job.id, lambda job: job.definition.stored_bytes, at_most=page_bytes
        )
        shown = tuple(JobRead.of(job, with_payload=with_payload) for job in jobs)
        return respond_with(JobPage(data=shown, next_cursor=cursor))

    @get("/{job_id:str}", opt=requires(Scope.READ))
    async def get_one(self, request: ApiRequest) -> Answer:
        Query(request)
        job = await request.services.jobs.get(request.caller.workspace_id, request.path_id("job"))
        return Answer(_shown(job))

    @patch("/{job_id:str}", opt=requires(Scope.WRITE))
    async def update(self, request: ApiRequest) -> Answer:
        Query(request)
        services, job_id = request.services, request.path_id("job")
        _, changes = await read_json_body(request, at_most=MAX_JOB_BODY_BYTES)
        default_timeout = services.settings.request_timeout
        job = await services.jobs.update(
            request.caller.workspace_id,
            job_id,
            lambda stored: patched(
                stored, changes, default_timeout=default_timeout, check_target=services.jobs.check_target
            ),
            anew=names_schedule(changes),
        )
        return Answer(_shown(job))

    @delete("/{job_id:str}", opt=requires(Scope.WRITE), status_code=204)
    async def delete_one(self, request: ApiRequest) -> None:
        Query(request)
        await request.services.jobs.delete(request.caller.workspace_id, request.path_id("job"))

    @post("/{job_id:str}/pause", opt=requires(Scope.WRITE))
    async def pause(self, request: ApiRequest) -> Answer:
        job_id, idempotency = request.path_id("job"), await read_action(request, job_answer)
        act = partial(request.services.jobs.pause, request.caller.workspace_id, job_id, idempotency=idempotency)
        return await once(request, idempotency, _shown, act, partial(_payload_now, request, job_id))

    @post("/{job_id:str}/resume", opt=requires(Scope.WRITE))
    async def resume(self, request: ApiRequest) -> Answer:
        job_id, idempotency = request.path_id("job"), await read_action(request, job_answer)
        act = partial(request.services.jobs.resume, request.caller.workspace_id, job_id, idempotency=idempotency)
        return await once(request, idempotency, _shown, act, partial(_payload_now, request, job_id))

    @post("/{job_id:str}/run", opt=requires(Scope.WRITE))
    async def run(self, request: ApiRequest) -> Answer:
        job_id, idempotency = request.path_id("job"), await read_action(request, queued)
        act = partial(request.services.jobs.run, request.caller.workspace_id, job_id, idempotency=idempotency)
        return await once(request, idempotency, queued, act)


def _created_kept(job: Job) -> StoredAnswer:
    return job_answer(job, status=201, headers={"location": f"/v1/jobs/{job.id}"})


def _created(job: Job) -> StoredAnswer:
    return with_payload(_created_kept(job), job.definition.payload)


def _shown(job: Job) -> StoredAnswer:
    return with_payload(job_answer(job), job.definition.payload)


async def _payload_now(request: ApiRequest, job_id: str) -> bytes:
    """The payload of a job as it stands; that of a job without any where it was deleted."""
    try:
        job = await request.services.jobs.get(request.caller.workspace_id, job_id)
    except NotFound:
        return NULL_PAYLOAD
    return job.definition.payload

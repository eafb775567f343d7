"""Executions: one row per occurrence of a job."""

from __future__ import annotations

from functools import partial

from litestar import Controller, get, post

from cronhook_core.domain.api_key import Scope
from cronhook_core.domain.execution import Execution, ExecutionStatus
from cronhook_core.domain.idempotency import StoredAnswer
from cronhook_core.wire.v1 import ExecutionDetail, ExecutionPage, ExecutionRead
from cronhook_server.admission import requires
from cronhook_server.answering import Answer, answer, respond_with
from cronhook_server.api_request import ApiRequest
from cronhook_server.once import once
from cronhook_server.reading import Query, read_action
from cronhook_server.routes.paging import before_of, limit_of, page_of


@get("/v1/jobs/{job_id:str}/executions", opt=requires(Scope.READ))
async def list_executions(request: ApiRequest) -> Answer:
    query = Query(request, "status", "limit", "cursor")
    limit = limit_of(query)
    found = await request.services.jobs.executions(
        request.caller.workspace_id,
        request.path_id("job"),
        status=query.word("status", ExecutionStatus),
        limit=limit + 1,
        before_id=before_of(query, "exe"),
    )
    executions, cursor = page_of(found, limit, lambda execution: execution.id)
    return respond_with(ExecutionPage(data=tuple(map(ExecutionRead.of, executions)), next_cursor=cursor))


class ExecutionRoutes(Controller):
    path = "/v1/executions/{execution_id:str}"

    @get(opt=requires(Scope.READ))
    async def get_one(self, request: ApiRequest) -> Answer:
        Query(request)
        jobs, workspace_id, execution_id = (
            request.services.jobs,
            request.caller.workspace_id,
            request.path_id("execution"),
        )
        execution = await jobs.execution(workspace_id, execution_id)
        return respond_with(ExecutionDetail.with_logs(execution, await jobs.attempts(workspace_id, execution_id)))

    @post("/cancel", opt=requires(Scope.WRITE))
    async def cancel(self, request: ApiRequest) -> Answer:
        execution_id = request.path_id("execution")
        idempotency = await read_action(request, _cancelled)
        jobs, workspace_id = request.services.jobs, request.caller.workspace_id
        act = partial(jobs.cancel_execution, workspace_id, execution_id, idempotency=idempotency)
        return await once(request, idempotency, _cancelled, act)

    @post("/replay", opt=requires(Scope.WRITE))
    async def replay(self, request: ApiRequest) -> Answer:
        execution_id = request.path_id("execution")
        idempotency = await read_action(request, queued)
        act = partial(request.services.jobs.replay, request.caller.workspace_id, execution_id, idempotency=idempotency)
        return await once(request, idempotency, queued, act)


def queued(execution: Execution) -> StoredAnswer:
    """202: the execution waits for a worker."""
    return answer(ExecutionRead.of(execution), status=202, headers={"location": f"/v1/executions/{execution.id}"})


def _cancelled(execution: Execution) -> StoredAnswer:
    return answer(ExecutionRead.of(execution))

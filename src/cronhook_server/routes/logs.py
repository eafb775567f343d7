"""The log of a job: one row per attempt."""

from __future__ import annotations

from enum import StrEnum

from litestar import get

from cronhook_core.domain.api_key import Scope
from cronhook_core.wire.v1 import LogPage
from cronhook_server.admission import requires
from cronhook_server.answering import Answer, respond_with
from cronhook_server.api_request import ApiRequest
from cronhook_server.reading import Query
from cronhook_server.routes.paging import bytes_of_page, limit_of

MAX_OFFSET = 10_000


class LogStatus(StrEnum):
    """The words of `Attempt.status` that a reader can ask for."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"
    INTERRUPTED = "interrupted"
    LATE_SUCCEEDED = "late_succeeded"
    LATE_FAILED = "late_failed"


class Order(StrEnum):
    ASC = "asc"
    DESC = "desc"


@get("/v1/jobs/{job_id:str}/logs", opt=requires(Scope.READ))
async def list_logs(request: ApiRequest) -> Answer:
    query = Query(request, "status", "order", "offset", "limit")
    limit, offset = limit_of(query), query.number("offset", 0, lowest=0, highest=MAX_OFFSET)
    await request.hold(bytes_of_page(limit))
    attempts, total = await request.services.jobs.logs(
        request.caller.workspace_id,
        request.path_id("job"),
        status=query.word("status", LogStatus),
        oldest_first=query.word("order", Order) is Order.ASC,
        offset=offset,
        limit=limit + 1,
    )
    return respond_with(LogPage.of(attempts, total=total, offset=offset, limit=limit))


LOG_ROUTES = (list_logs,)

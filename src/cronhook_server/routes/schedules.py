"""Schedules, before anything is stored."""

from __future__ import annotations

from litestar import post

from cronhook_core.domain.api_key import Scope
from cronhook_core.wire.converter import read_request
from cronhook_core.wire.preview import previewed_instants
from cronhook_core.wire.v1 import PreviewRead, PreviewWrite
from cronhook_server.admission import requires
from cronhook_server.answering import Answer, respond_with
from cronhook_server.api_request import ApiRequest
from cronhook_server.reading import Query, read_json_body


@post("/v1/schedules/preview", opt=requires(Scope.READ))
async def preview(request: ApiRequest) -> Answer:
    """An ``idempotency-key`` has nothing to do here: there is no effect to do once."""
    Query(request)
    _, value = await read_json_body(request)
    asked = read_request(value, PreviewWrite)
    after = request.services.clock.now() if asked.after is None else asked.after
    schedule = asked.schedule()
    steps = previewed_instants(schedule, after=after, count=asked.count)
    instants = await request.services.cpu.each(request.caller.id, steps)
    return respond_with(PreviewRead.of(schedule, instants, after=after))


SCHEDULE_ROUTES = (preview,)

"""What Prometheus reads. No key is needed; nothing in it names a job, an address or a workspace."""

from __future__ import annotations

from litestar import get

from cronhook_server.answering import Answer, plain
from cronhook_server.api_request import ApiRequest
from cronhook_server.metrics_page import CONTENT_TYPE


@get("/metrics")
async def metrics(request: ApiRequest) -> Answer:
    return plain(await request.services.metrics.render(), CONTENT_TYPE)

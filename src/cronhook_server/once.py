"""Requests under an idempotency key: of equal ones that come together, one acts and the others wait for its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cronhook_core.domain.execution import Execution
from cronhook_core.domain.idempotency import IdempotentRequest, StoredAnswer
from cronhook_core.domain.job import Job
from cronhook_core.errors import StoreBusy
from cronhook_server.answering import Answer
from cronhook_server.api_request import ApiRequest
from cronhook_server.under_way import Patience

E = TypeVar("E", Job, Execution)


async def once(
    request: ApiRequest,
    idempotency: IdempotentRequest | None,
    answer: Callable[[E], StoredAnswer],
    act: Callable[[], Awaitable[E]],
) -> Answer:
    """What ``act`` leads to; for a repeat, raises what holds the first answer, and does nothing."""
    if idempotency is None:
        return Answer(answer(await act()))
    workspace_id, patience = request.caller.workspace_id, Patience()
    async with request.services.under_way.alone((workspace_id, idempotency.path, idempotency.key)):
        while True:
            await request.services.jobs.refuse_repeat(workspace_id, idempotency)
            try:
                return Answer(answer(await act()))
            except StoreBusy:  # the first request with this key may be under way in another process
                patience.try_again()

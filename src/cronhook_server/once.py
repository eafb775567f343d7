"""Requests under an idempotency key: of equal ones that come together, one acts and the others wait for its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cronhook_core.domain.execution import Execution
from cronhook_core.domain.idempotency import IdempotentRequest, StoredAnswer
from cronhook_core.domain.job import Job
from cronhook_core.errors import AlreadyAnswered, StoreBusy
from cronhook_server.answering import Answer, with_payload
from cronhook_server.api_request import ApiRequest
from cronhook_server.under_way import Patience

E = TypeVar("E", Job, Execution)


async def once(
    request: ApiRequest,
    idempotency: IdempotentRequest | None,
    answer: Callable[[E], StoredAnswer],
    act: Callable[[], Awaitable[E]],
    payload: Callable[[], Awaitable[bytes]] | None = None,
) -> Answer:
    """What ``act`` leads to, as ``answer`` renders it; for a repeat the first answer, and nothing is done.

    Payloads of jobs are not stored with answers: ``payload`` finds the one that belongs into the answer of a repeat.
    """
    try:
        return Answer(answer(await _act_once(request, idempotency, act)))
    except AlreadyAnswered as earlier:
        stored = earlier.answer
        return Answer(stored if payload is None else with_payload(stored, await payload()))


async def _act_once(request: ApiRequest, idempotency: IdempotentRequest | None, act: Callable[[], Awaitable[E]]) -> E:
    if idempotency is None:
        return await act()
    workspace_id, patience = request.caller.workspace_id, Patience()
    async with request.services.under_way.alone((workspace_id, idempotency.path, idempotency.key)):
        while True:
            await request.services.jobs.refuse_repeat(workspace_id, idempotency)
            try:
                return await act()
            except StoreBusy:  # the first request with this key may be under way in another process
                patience.try_again()

"""What was answered before to a request that may be repeated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from cronhook_core.backends.postgres.arrays import instants, texts
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.grouping import Grouped
from cronhook_core.domain.idempotency import KEPT_FOR, USED_WITH_ANOTHER_BODY, IdempotentRequest, StoredAnswer
from cronhook_core.errors import AlreadyAnswered, CronhookError, IdempotencyMismatch

AT_ONCE = 25
"""Answers in one reading, at most: of jobs with the most headers and metadata some 1 MB."""

ANSWERED = """
SELECT k.number::int, r.fingerprint, r.status, r.headers, r.body, r.payload_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
    AS k (workspace_id, path, key, since, number)
JOIN idempotency_records r
    ON r.workspace_id = ANY (ARRAY[k.workspace_id]) AND r.path = ANY (ARRAY[k.path]) AND r.key = ANY (ARRAY[k.key])
WHERE CASE WHEN r.key = k.key THEN r.created_at > k.since ELSE false END
"""
"""``CASE`` keeps the age out of reach of the index over it: much may have been answered in a day."""


@frozen
class Answered:
    """The answer that is kept for a key, and the fingerprint of the request that it was given to."""

    fingerprint: bytes
    answer: StoredAnswer

    def refusal_of(self, request: IdempotentRequest) -> CronhookError:
        if request.fingerprint != self.fingerprint:
            return IdempotencyMismatch(USED_WITH_ANOTHER_BODY)
        return AlreadyAnswered(self.answer)


def answered_from(row: Sequence[Any]) -> Answered:
    """A fingerprint, and an answer as it is kept: its status, headers, body and ``payload_at``."""
    fingerprint, status, headers, body, payload_at = row
    pairs = tuple((name, value) for name, value in json.loads(headers))
    return Answered(fingerprint, StoredAnswer(status=status, headers=pairs, body=body, payload_at=payload_at))


@frozen(kw_only=True)
class _Asked:
    workspace_id: str
    request: IdempotentRequest
    now: datetime


class Answers:
    """Recognises requests that were answered before."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._group = Grouped(self._read, at_most=AT_ONCE)

    async def refuse_repeat(self, workspace_id: str, request: IdempotentRequest, now: datetime) -> None:
        """As `JobCatalog.refuse_repeat`."""
        answered = await self._group.ask(_Asked(workspace_id=workspace_id, request=request, now=now))
        if answered is not None:
            raise answered.refusal_of(request)

    async def _read(self, asked: Sequence[_Asked]) -> Sequence[Answered | None]:
        columns = [
            texts([one.workspace_id for one in asked]),
            texts([one.request.path for one in asked]),
            texts([one.request.key for one in asked]),
            instants([one.now - KEPT_FOR for one in asked]),
        ]
        rows = await self._database.execute(ANSWERED, columns)
        found = {number: answered_from(row) for number, *row in rows}
        return [found.get(number) for number in range(1, len(asked) + 1)]

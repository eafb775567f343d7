"""Requests that may be repeated: the answer is stored beside the effect, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from cronhook_core.errors import Quota, QuotaExceeded

if TYPE_CHECKING:
    from cronhook_core.domain.execution import Execution
    from cronhook_core.domain.job import Job

KEPT_FOR = timedelta(hours=24)
USED_WITH_ANOTHER_BODY = "this idempotency key was used with another body; take a new key"


@frozen(kw_only=True)
class StoredAnswer:
    """An HTTP answer, kept to be given again: its status, its headers and its body, byte for byte.

    ``payload_at``: the body is stored without the job's payload, which belongs at this offset; None: the body is whole.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    payload_at: int | None = None

    def with_payload(self, payload: bytes) -> StoredAnswer:
        """The whole answer: ``payload`` is JSON text. Only for an answer that has a ``payload_at``."""
        at = self.payload_at
        return evolve(self, body=b"".join((self.body[:at], payload, self.body[at:])), payload_at=None)


@frozen(kw_only=True)
class IdempotentRequest:
    """A request under an idempotency key.

    ``path`` is the concrete path, without the query. ``fingerprint`` is a hash of the body: the same key with another
    fingerprint is a mistake of the caller. ``answer`` renders what the caller gets from the effect; it is called before
    that is committed, does no I/O, and may be called more than once. ``max_records`` is how many answers are kept for
    the workspace within a day (see `DayCount`); None: no limit, and this one is not counted.
    """

    key: str
    path: str
    fingerprint: bytes
    answer: Callable[[Job | Execution], StoredAnswer]
    max_records: int | None = None


@frozen(kw_only=True)
class DayCount:
    """How many answers were kept for a workspace in its current day, which began at ``since``; None: in none.

    A day lasts `KEPT_FOR` and begins with the first answer that is kept after the end of the last one.
    """

    since: datetime | None = None
    kept: int = 0

    def with_one_more(self, limit: int, now: datetime) -> DayCount:
        """`QuotaExceeded` where ``limit`` answers were kept today."""
        today = self if self.since is not None and self.since <= now < self.since + KEPT_FOR else DayCount(since=now)
        if today.kept >= limit:
            raise QuotaExceeded(limit, Quota.IDEMPOTENCY_RECORDS)
        return evolve(today, kept=today.kept + 1)

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import frozen

from cronhook_core.domain.execution import Execution
from cronhook_core.domain.idempotency import (
    KEPT_FOR,
    USED_WITH_ANOTHER_BODY,
    DayCount,
    IdempotentRequest,
    StoredAnswer,
)
from cronhook_core.domain.job import Job
from cronhook_core.errors import AlreadyAnswered, IdempotencyMismatch

_Key = tuple[str, str, str]


@frozen(kw_only=True)
class _Answered:
    fingerprint: bytes
    answer: StoredAnswer
    at: datetime


class Answers:
    """The answers of idempotent requests, each kept for 24 hours."""

    def __init__(self) -> None:
        self._answered: dict[_Key, _Answered] = {}  # the oldest first
        self._counts: dict[str, DayCount] = {}

    def refuse_repeated(self, workspace_id: str, request: IdempotentRequest | None, now: datetime) -> None:
        """Raise `AlreadyAnswered` or `IdempotencyMismatch` when this request was answered less than 24 h ago."""
        before = self._answered.get(_key(workspace_id, request)) if request else None
        if request is None or before is None or before.at + KEPT_FOR <= now:
            return
        if before.fingerprint != request.fingerprint:
            raise IdempotencyMismatch(USED_WITH_ANOTHER_BODY)
        raise AlreadyAnswered(before.answer)

    def prepare(
        self, workspace_id: str, request: IdempotentRequest | None, effect: Job | Execution, now: datetime
    ) -> Callable[[], None]:
        """Render the answer, which may fail, and return what keeps it, which may not: call that with the effect.

        `QuotaExceeded` where no more answers may be kept.
        """
        if request is None:
            return lambda: None
        key, count = _key(workspace_id, request), self._counts.get(workspace_id, DayCount())
        if request.max_records is not None:
            count = count.with_one_more(request.max_records, now)
        answered = _Answered(fingerprint=request.fingerprint, answer=request.answer(effect), at=now)
        return lambda: self._keep(key, answered, count)

    def forget_expired(self, at: datetime) -> None:
        """Forget what was no longer kept at this instant."""
        while self._answered:
            oldest = next(iter(self._answered))
            if self._answered[oldest].at + KEPT_FOR > at:
                return
            del self._answered[oldest]

    def _keep(self, key: _Key, answered: _Answered, count: DayCount) -> None:
        self.forget_expired(answered.at)
        self._counts[key[0]] = count
        self._answered.pop(key, None)
        self._answered[key] = answered


def _key(workspace_id: str, request: IdempotentRequest) -> _Key:
    return (workspace_id, request.path, request.key)

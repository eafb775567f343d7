from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.execution import Attempt
from cronhook_core.domain.webhook import Outcome

_Key = tuple[datetime, str, int]


class AttemptTable:
    """All attempts, found by execution and by job. Released ones are kept, and shown to nobody."""

    def __init__(self) -> None:
        self._attempts: defaultdict[str, dict[int, Attempt]] = defaultdict(dict)
        self._shown: defaultdict[str, list[_Key]] = defaultdict(list)

    def get(self, ref: ClaimRef) -> Attempt | None:
        return self._attempts.get(ref.execution_id, {}).get(ref.attempt_no)

    def put(self, attempt: Attempt) -> None:
        of_execution = self._attempts[attempt.execution_id]
        before = of_execution.get(attempt.attempt_no)
        of_execution[attempt.attempt_no] = attempt
        if _is_shown(attempt) and (before is None or not _is_shown(before)):
            insort(self._shown[attempt.job_id], _key(attempt))
        elif before is not None and _is_shown(before) and not _is_shown(attempt):
            self._hide(before)

    def remove_of(self, execution_id: str) -> None:
        for attempt in self._attempts.pop(execution_id, {}).values():
            if _is_shown(attempt):
                self._hide(attempt)

    def of_execution(self, execution_id: str) -> list[Attempt]:
        """The shown attempts of an execution in order."""
        attempts = self._attempts.get(execution_id, {})
        return [attempts[number] for number in sorted(attempts) if _is_shown(attempts[number])]

    def page(
        self, job_id: str, *, status: str | None, oldest_first: bool, offset: int, limit: int
    ) -> tuple[list[Attempt], int]:
        """A page of the shown attempts of a job by start, and how many there are in all."""
        keys: Sequence[_Key] = self._shown.get(job_id, [])
        if status is not None:
            keys = [key for key in keys if self._at(key).status == status]
        page = keys[offset : offset + limit] if oldest_first else keys[::-1][offset : offset + limit]
        return [self._at(key) for key in page], len(keys)

    def _at(self, key: _Key) -> Attempt:
        return self._attempts[key[1]][key[2]]

    def _hide(self, attempt: Attempt) -> None:
        keys = self._shown[attempt.job_id]
        del keys[bisect_left(keys, _key(attempt))]


def _key(attempt: Attempt) -> _Key:
    return (attempt.started_at, attempt.execution_id, attempt.attempt_no)


def _is_shown(attempt: Attempt) -> bool:
    return attempt.outcome is not Outcome.RELEASED

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from cronhook_core.domain.claim import Verdict
from cronhook_core.domain.execution import ExecutionStatus


class NamesAttempt(Protocol):
    """A claim's reference, or a report."""

    @property
    def execution_id(self) -> str: ...

    @property
    def attempt_no(self) -> int: ...


def verdict_from(row: tuple[Any, ...]) -> Verdict:
    """A row of the statements of finish, release, interrupt and lose. ``accepted`` is null where the job was locked."""
    execution_id, attempt_no, accepted, status, reason, next_attempt_at = row
    return Verdict(
        execution_id=execution_id,
        attempt_no=attempt_no,
        accepted=bool(accepted),
        locked=accepted is None,
        status=None if status is None else ExecutionStatus(status),
        reason=reason,
        next_attempt_at=next_attempt_at,
    )


def verdicts_on(asked: Sequence[NamesAttempt], rows: Sequence[tuple[Any, ...]]) -> list[Verdict]:
    """One verdict for each item, as if they had come one after the other: a repeat finds it already done, or locked."""
    found = {(verdict.execution_id, verdict.attempt_no): verdict for verdict in map(verdict_from, rows)}
    locked = {key: found.pop(key) for key, verdict in list(found.items()) if verdict.locked}
    accepted: dict[str, ExecutionStatus | None] = {}
    answers = []
    for item in asked:
        key = (item.execution_id, item.attempt_no)
        if key in locked:
            answers.append(locked[key])
            continue
        verdict = found.pop(key, None)
        if verdict is None or not verdict.accepted:
            status = accepted.get(item.execution_id, verdict.status if verdict else None)
            verdict = Verdict(execution_id=item.execution_id, attempt_no=item.attempt_no, accepted=False, status=status)
        accepted.setdefault(item.execution_id, verdict.status)
        answers.append(verdict)
    return answers

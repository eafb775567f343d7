"""What surrounds cronhook in the model: the queue, the receivers' answers, and the jobs that users write."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.domain.job import JobDefinition
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.domain.webhook import Outcome, WebhookResult
from tests.model.ledger import Broken
from tests.model.observed import ObservedDatabase


class ModelQueue:
    """A `Queue` that never waits, and that holds those who push to its contract."""

    def __init__(self, database: ObservedDatabase) -> None:
        self.messages: deque[QueueMessage] = deque()
        self._database = database

    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None:
        for message in messages:
            if self._database.executions.get(message.execution_id) is None:
                raise Broken(f"a message was pushed before {message.execution_id} was there")
        self.messages.extend(messages)

    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        return [self.messages.popleft() for _ in range(min(limit, len(self.messages)))]

    async def depth(self) -> int:
        return len(self.messages)

    async def announce(self, due_at: datetime) -> None:
        """Planners look by themselves."""

    async def wait(self, timeout: timedelta) -> datetime | None:
        return None


def _result(status: int | None, outcome: Outcome, **more: Any) -> WebhookResult:
    error = None if outcome is Outcome.SUCCEEDED else outcome.value
    return WebhookResult(outcome=outcome, response_status=status, error=error, **more)


ANSWERS: Mapping[str, tuple[int | None, WebhookResult]] = {
    "ok": (200, _result(200, Outcome.SUCCEEDED)),
    "error": (500, _result(500, Outcome.HTTP_ERROR)),
    "busy": (503, _result(503, Outcome.HTTP_ERROR, retry_after=timedelta(seconds=20))),
    "gone": (410, _result(410, Outcome.HTTP_ERROR)),
    "silent": (None, _result(None, Outcome.TIMEOUT)),
    "unheard": (200, _result(None, Outcome.PROTOCOL_ERROR)),
}
"""What the receiver answers, and what the sender hears of it."""

LINES: Sequence[tuple[str, str]] = (
    ("* * * * *", "UTC"),
    ("*/2 * * * *", "UTC"),
    ("*/15 * * * *", "Asia/Kolkata"),
    ("30 2 * * *", "Europe/Berlin"),
    ("5,35 21-23 28 3 *", "America/New_York"),
)
SINGLE_INSTANTS = tuple(timedelta(seconds=seconds) for seconds in (0, 15, 30, 45))
"""How far ahead of its writing a single instant lies."""
SCHEDULES = len(LINES) + len(SINGLE_INSTANTS)
RETRIES = (RetryPolicy(delays=()), *(RetryPolicy(delays=[timedelta(seconds=s)] * n) for s, n in ((1, 1), (3, 2))))


def definition(schedule: int, retries: int, now: datetime) -> JobDefinition:
    """A job with the schedule of that number, below `SCHEDULES`."""
    single = schedule - len(LINES)
    return JobDefinition(
        name="model",
        schedule=CronSchedule(*LINES[schedule]) if single < 0 else OneTimeSchedule(now + SINGLE_INSTANTS[single]),
        callback_url="https://receiver.example/",
        retry_policy=RETRIES[retries % len(RETRIES)],
    )

"""When a failed attempt is tried again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from attrs import field, frozen

from cronhook_core.domain.webhook import Outcome, WebhookResult
from cronhook_core.errors import InvalidRequest

MAX_DELAYS = 20
MIN_DELAY = timedelta(seconds=1)
MAX_DELAY = timedelta(hours=24)
JITTER = 0.1
"""A delay is spread over ± this part of itself, so that jobs that failed together do not return together."""


@frozen(kw_only=True)
class Succeed:
    """The receiver answered 2xx."""


@frozen(kw_only=True)
class RetryAt:
    """Try again at this instant; one delay of the budget is used up."""

    at: datetime


@frozen(kw_only=True)
class GiveUp:
    """The execution failed for good. ``gone`` says that the receiver wants no more of this job (HTTP 410)."""

    reason: str
    gone: bool = False


Decision = Succeed | RetryAt | GiveUp


def _check_delays(_: object, __: object, delays: tuple[timedelta, ...]) -> None:
    if len(delays) > MAX_DELAYS:
        raise InvalidRequest(f"at most {MAX_DELAYS} retry delays, got {len(delays)}", pointer="/retry_delays_seconds")
    for index, delay in enumerate(delays):
        if not MIN_DELAY <= delay <= MAX_DELAY:
            raise InvalidRequest(
                "a retry delay is between 1 second and 24 hours", pointer=f"/retry_delays_seconds/{index}"
            )


def _as_tuple(delays: Iterable[timedelta]) -> tuple[timedelta, ...]:
    return tuple(delays)


@frozen(kw_only=True)
class RetryPolicy:
    """The delays after each failed attempt, in order: ``n`` delays allow ``n`` retries after the first attempt."""

    delays: tuple[timedelta, ...] = field(
        default=(timedelta(seconds=30), timedelta(seconds=120), timedelta(seconds=600)),
        converter=_as_tuple,
        validator=_check_delays,
    )

    def decide(self, result: WebhookResult, *, retries_used: int, now: datetime, spread: float) -> Decision:
        """What follows from an attempt's result.

        ``spread`` is a random number in [-1, 1] that places the delay within its jitter. ``Retry-After`` of a 429 or
        503 is honoured between the policy's own delay and 24 hours (RFC 9110, section 10.2.3). Status 410 ends the job.
        """
        if result.outcome is Outcome.SUCCEEDED:
            return Succeed()
        if result.response_status == 410:
            return GiveUp(reason="gone", gone=True)
        if result.permanent:
            return GiveUp(reason=result.outcome.value)
        if retries_used >= len(self.delays):
            return GiveUp(reason="retries_exhausted")
        return RetryAt(at=now + self._delay(result, retries_used, spread))

    def _delay(self, result: WebhookResult, retries_used: int, spread: float) -> timedelta:
        own = self.delays[retries_used] * (1 + JITTER * spread)
        if result.retry_after is None or result.response_status not in (429, 503):
            return own
        return max(own, min(result.retry_after, MAX_DELAY))

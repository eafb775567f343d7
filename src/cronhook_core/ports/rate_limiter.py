from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from attrs import field, frozen


def _positive(_: object, attribute: object, value: int) -> None:
    if value < 1:
        raise ValueError("a rate allows at least one")


@frozen(kw_only=True)
class Rate:
    """``burst`` at once, and as many again within every ``per``, evenly."""

    burst: int = field(validator=_positive)
    per: timedelta

    @property
    def interval(self) -> timedelta:
        """After which one more is allowed."""
        return self.per / self.burst


class RateLimiter(Protocol):
    """Counts what keys do against a rate.

    Contract: by the backend's own clock, which steps of a caller's clock do not touch. A backend may forget keys that
    were idle for long or, when there are too many, the ones idle for longest; it never refuses a key that is within its
    rate. Errors of the transport come out as ``RateLimiterUnavailable``. A key is used with one of the methods and with
    one rate.
    """

    async def take(self, key: str, rate: Rate) -> timedelta | None:
        """None: allowed and counted. Otherwise refused and not counted, and how long until the next one is allowed."""

    async def charge(self, key: str, rate: Rate, count: int, *, ago: timedelta) -> timedelta:
        """Count ``count`` that were allowed elsewhere, since ``ago``, and also beyond the rate.

        Returns how long until all that was counted is paid off. Each is paid off after ``rate.interval``, one after the
        other, so that the burst is used up at ``rate.per``. What would take longer than twice ``rate.per`` is forgiven.
        """

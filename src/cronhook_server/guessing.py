"""What guessing keys costs: failures of one client, against a rate."""

from __future__ import annotations

from datetime import timedelta

from cronhook_core.errors import RateLimited, RateLimiterUnavailable
from cronhook_core.ports.rate_limiter import Rate, RateLimiter


class SparedRateLimiter:
    """Asks ``spare``, which counts for itself, while ``first`` is away."""

    def __init__(self, first: RateLimiter, spare: RateLimiter) -> None:
        self._first = first
        self._spare = spare

    async def take(self, key: str, rate: Rate) -> timedelta | None:
        try:
            return await self._first.take(key, rate)
        except RateLimiterUnavailable:
            return await self._spare.take(key, rate)

    async def charge(self, key: str, rate: Rate, count: int, *, ago: timedelta) -> timedelta:
        try:
            return await self._first.charge(key, rate, count, ago=ago)
        except RateLimiterUnavailable:
            return await self._spare.charge(key, rate, count, ago=ago)


class FailureLimit:
    """Counts failed authentications. Only those: a valid key is never refused because others guess."""

    def __init__(self, limiter: RateLimiter, *, per_minute: int) -> None:
        self._limiter = limiter
        self._rate = Rate(burst=per_minute, per=timedelta(minutes=1))

    async def count(self, client: str) -> None:
        """Raise `RateLimited` when the client's failures are used up."""
        wait = await self._limiter.take(f"auth:{client}", self._rate)
        if wait is not None:
            raise RateLimited(wait)

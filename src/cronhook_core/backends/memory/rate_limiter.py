from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta

from cronhook_core.ports.clock import Clock
from cronhook_core.ports.rate_limiter import Rate

KEYS_KEPT = 10_000


class MemoryRateLimiter:
    """The `RateLimiter` of one process. Of more than ``bound`` keys the ones idle for longest are forgotten.

    It keeps one number per key: when all that was counted will be paid off (the generic cell rate algorithm, ITU-T
    I.371).
    """

    def __init__(self, clock: Clock, *, bound: int = KEYS_KEPT) -> None:
        self._clock = clock
        self._bound = bound
        self._paid_off_at: OrderedDict[str, float] = OrderedDict()

    async def take(self, key: str, rate: Rate) -> timedelta | None:
        now = self._clock.monotonic()
        interval = rate.interval.total_seconds()
        paid_off_at = max(now, self._paid_off_at.get(key, now)) + interval
        wait = paid_off_at - now - rate.per.total_seconds()
        if wait > interval * 1e-6:  # not for what is only rounding
            return timedelta(seconds=wait)
        self._remember(key, paid_off_at)
        return None

    async def charge(self, key: str, rate: Rate, count: int, *, ago: timedelta) -> timedelta:
        now = self._clock.monotonic()
        began = now - ago.total_seconds()
        paid_off_at = max(began, self._paid_off_at.get(key, began)) + count * rate.interval.total_seconds()
        paid_off_at = min(paid_off_at, now + 2 * rate.per.total_seconds())
        self._remember(key, paid_off_at)
        return timedelta(seconds=max(0.0, paid_off_at - now))

    def _remember(self, key: str, paid_off_at: float) -> None:
        self._paid_off_at[key] = paid_off_at
        self._paid_off_at.move_to_end(key)
        if len(self._paid_off_at) > self._bound:
            self._paid_off_at.popitem(last=False)

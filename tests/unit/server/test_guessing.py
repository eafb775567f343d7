"""Redis away: failures are counted in memory."""

from datetime import timedelta

import pytest

from cronhook_core.backends.memory.rate_limiter import MemoryRateLimiter
from cronhook_core.errors import RateLimited, RateLimiterUnavailable
from cronhook_core.ports.rate_limiter import Rate
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.guessing import FailureLimit, SparedRateLimiter


class Away:
    async def take(self, key: str, rate: Rate) -> timedelta | None:
        raise RateLimiterUnavailable("away")


async def test_the_spare_counts_while_the_first_is_away() -> None:
    limit = FailureLimit(SparedRateLimiter(Away(), MemoryRateLimiter(ManualClock(NOW))), per_minute=2)
    await limit.count("a")
    await limit.count("a")
    with pytest.raises(RateLimited) as refused:
        await limit.count("a")
    assert refused.value.retry_after == timedelta(seconds=30)
    await limit.count("b")

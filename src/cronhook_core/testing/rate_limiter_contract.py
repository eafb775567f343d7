from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from cronhook_core.ports.rate_limiter import Rate, RateLimiter
from cronhook_core.testing.elapsing import Elapse

SLOW = Rate(burst=3, per=timedelta(minutes=3))


class RateLimiterContract:
    """What every `RateLimiter` keeps.

    The subclass provides the fixtures ``limiter``, ``other_limiter`` (the same keys as another node sees them; one
    object where there is one process only) and ``elapse`` (see `Elapse`). ``quick`` is a rate whose tokens come back
    within what ``elapse`` can wait for.
    """

    quick = Rate(burst=2, per=timedelta(seconds=2))

    async def test_a_burst_is_allowed_and_no_more(self, limiter: RateLimiter) -> None:
        assert [await limiter.take("a", SLOW) for _ in range(3)] == [None] * 3
        wait = await limiter.take("a", SLOW)
        assert wait is not None
        assert timedelta(seconds=50) < wait <= timedelta(seconds=60)

    async def test_keys_are_apart(self, limiter: RateLimiter) -> None:
        for key in ("a", "A", "a:", "a/64", "né"):
            assert [await limiter.take(key, SLOW) for _ in range(3)] == [None] * 3

    async def test_nodes_count_together(self, limiter: RateLimiter, other_limiter: RateLimiter) -> None:
        assert await limiter.take("a", SLOW) is None
        assert await other_limiter.take("a", SLOW) is None
        assert await limiter.take("a", SLOW) is None
        assert await other_limiter.take("a", SLOW) is not None

    async def test_racing_calls_are_counted_exactly(self, limiter: RateLimiter, other_limiter: RateLimiter) -> None:
        answers = await asyncio.gather(*((limiter, other_limiter)[n % 2].take("a", SLOW) for n in range(20)))
        assert answers.count(None) == 3

    async def test_what_is_refused_is_not_counted(self, limiter: RateLimiter, elapse: Elapse) -> None:
        for _ in range(10):
            wait = await limiter.take("a", self.quick)
        assert wait is not None
        await elapse(wait.total_seconds())
        assert await limiter.take("a", self.quick) is None

    async def test_a_rate_comes_back_evenly(self, limiter: RateLimiter, elapse: Elapse) -> None:
        while (wait := await limiter.take("a", self.quick)) is None:
            pass
        await elapse(wait.total_seconds())
        assert await limiter.take("a", self.quick) is None
        assert await limiter.take("a", self.quick) is not None

    def test_a_rate_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            Rate(burst=0, per=timedelta(minutes=1))

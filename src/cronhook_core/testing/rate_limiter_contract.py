from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from cronhook_core.ports.rate_limiter import Rate, RateLimiter
from cronhook_core.testing.elapsing import Elapse

NO_TIME = timedelta(0)
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

    async def test_what_is_charged_is_paid_off_one_after_the_other(
        self, limiter: RateLimiter, other_limiter: RateLimiter
    ) -> None:
        assert self._about(60, await limiter.charge("c", SLOW, 1, ago=NO_TIME))
        assert self._about(180, await other_limiter.charge("c", SLOW, 2, ago=NO_TIME))
        assert self._about(60, await limiter.charge("another", SLOW, 1, ago=NO_TIME))

    async def test_a_charge_counts_beyond_the_rate_up_to_twice_its_time(self, limiter: RateLimiter) -> None:
        assert self._about(300, await limiter.charge("c", SLOW, 5, ago=NO_TIME))
        assert self._about(360, await limiter.charge("c", SLOW, 5, ago=NO_TIME))

    async def test_a_charge_is_paid_off_by_time(self, limiter: RateLimiter, elapse: Elapse) -> None:
        owed = await limiter.charge("c", self.quick, 4, ago=NO_TIME)
        await elapse(self.quick.per.total_seconds())
        assert await limiter.charge("c", self.quick, 1, ago=NO_TIME) <= owed - self.quick.per + self.quick.interval
        await elapse(2 * self.quick.per.total_seconds())
        assert self._about(self.quick.interval.total_seconds(), await limiter.charge("c", self.quick, 1, ago=NO_TIME))

    async def test_what_was_allowed_long_ago_is_paid_off_since_then(self, limiter: RateLimiter) -> None:
        assert self._about(60, await limiter.charge("c", SLOW, 2, ago=timedelta(minutes=1)))
        assert self._about(120, await limiter.charge("c", SLOW, 1, ago=timedelta(minutes=1)))
        assert await limiter.charge("another", SLOW, 2, ago=timedelta(hours=1)) == NO_TIME
        assert self._about(60, await limiter.charge("another", SLOW, 1, ago=NO_TIME))

    async def test_racing_charges_are_all_counted(self, limiter: RateLimiter, other_limiter: RateLimiter) -> None:
        owed = await asyncio.gather(
            *((limiter, other_limiter)[n % 2].charge("c", SLOW, 1, ago=NO_TIME) for n in range(5))
        )
        assert [self._about(60 * (n + 1), one) for n, one in enumerate(sorted(owed))] == [True] * 5

    def _about(self, seconds: float, owed: timedelta) -> bool:
        """A little of it may have been paid off by the time that the next charge arrives."""
        return timedelta(seconds=0.8 * seconds) < owed <= timedelta(seconds=seconds + 1e-3)

    def test_a_rate_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            Rate(burst=0, per=timedelta(minutes=1))

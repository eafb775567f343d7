"""How often an API key may be used: a rate that all processes share."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import timedelta
from math import ceil

from attrs import define, frozen

from cronhook_core.errors import RateLimiterUnavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.rate_limiter import Rate, RateLimiter

BLOCKS = 10
"""A burst is charged to the shared limiter in so many parts."""
KEYS_KEPT = 10_000
_ROUNDING = 1e-6

Headers = tuple[tuple[bytes, bytes], ...]


@frozen
class Counted:
    """``headers`` tell the caller what is left. ``wait`` is how long until a request may pass; None: this one may."""

    headers: Headers
    wait: timedelta | None


@define(eq=False)
class _Bucket:
    """``paid_off_at``: when all requests that were counted are paid off, one after each interval."""

    paid_off_at: float
    uncharged: int = 0
    uncharged_since: float = 0.0
    is_charging: bool = False


class RequestRate:
    """Counts the requests of each key: ``burst`` at once, and ``per_second`` in the long run.

    A request waits for nothing: it is judged by what this process knows. What it let pass is charged to ``limiter`` in
    blocks, by a task of its own, and the answer says what all processes together have let pass: this one goes on from
    there. So each process lets at most a block pass that the others do not know of. While the limiter is away each
    process counts for itself. Of more than ``bound`` keys those that were idle for longest are forgotten.
    """

    def __init__(
        self, limiter: RateLimiter, clock: Clock, *, per_second: int, burst: int, bound: int = KEYS_KEPT
    ) -> None:
        self._limiter = limiter
        self._clock = clock
        self._rate = Rate(burst=burst, per=timedelta(seconds=burst / per_second))
        self._per, self._interval = burst / per_second, 1 / per_second
        self._block = max(1, burst // BLOCKS)
        self._bound = bound
        self._policy = (b"ratelimit-policy", b'"default";q=%d;w=%d' % (burst, ceil(self._per - _ROUNDING)))
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._charges: set[asyncio.Task[None]] = set()

    def count(self, key_id: str) -> Counted:
        """Count a request with this key, unless it has to be refused."""
        now = self._clock.monotonic()
        bucket = self._bucket(key_id, now)
        paid_off_at = max(now, bucket.paid_off_at) + self._interval
        wait = paid_off_at - now - self._per
        if wait > _ROUNDING:
            return Counted(self._headers(bucket, now), timedelta(seconds=wait))
        bucket.paid_off_at = paid_off_at
        if not bucket.uncharged:
            bucket.uncharged_since = now
        bucket.uncharged += 1
        if bucket.uncharged >= self._block and not bucket.is_charging:
            self._begin_charge(key_id, bucket)
        return Counted(self._headers(bucket, now), None)

    def _bucket(self, key_id: str, now: float) -> _Bucket:
        bucket = self._buckets.get(key_id)
        if bucket is None:
            bucket = self._buckets[key_id] = _Bucket(now)
            if len(self._buckets) > self._bound:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key_id)
        return bucket

    def _headers(self, bucket: _Bucket, now: float) -> Headers:
        """As in draft-ietf-httpapi-ratelimit-headers: what is left, and in how many seconds it is whole again."""
        owed = max(0.0, bucket.paid_off_at - now)
        left = max(0, int((self._per - owed) / self._interval + _ROUNDING))
        return (self._policy, (b"ratelimit", b'"default";r=%d;t=%d' % (left, ceil(owed - _ROUNDING))))

    def _begin_charge(self, key_id: str, bucket: _Bucket) -> None:
        bucket.is_charging = True
        charge = asyncio.create_task(self._charge(key_id, bucket))
        self._charges.add(charge)
        charge.add_done_callback(self._charges.discard)

    async def _charge(self, key_id: str, bucket: _Bucket) -> None:
        count, bucket.uncharged = bucket.uncharged, 0
        ago = timedelta(seconds=self._clock.monotonic() - bucket.uncharged_since)
        try:
            owed = await self._limiter.charge(f"requests:{key_id}", self._rate, count, ago=ago)
        except RateLimiterUnavailable:
            return
        finally:
            bucket.is_charging = False
        paid_off_at = self._clock.monotonic() + owed.total_seconds() + bucket.uncharged * self._interval
        bucket.paid_off_at = max(bucket.paid_off_at, paid_off_at)

from __future__ import annotations

from datetime import timedelta

from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.errors import RateLimiterUnavailable
from cronhook_core.ports.rate_limiter import Rate

_MICROSECOND = timedelta(microseconds=1)
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, per = tonumber(ARGV[1]), tonumber(ARGV[2])
local counted = tonumber(redis.call('GET', KEYS[1]) or now)
if counted > now + per then
  counted = now
end
local paid_off_at = math.max(now, counted) + interval
local wait = paid_off_at - now - per
if wait > 0 then
  return wait
end
redis.call('SET', KEYS[1], string.format('%.0f', paid_off_at), 'PX', math.ceil((paid_off_at - now) / 1000))
return 0
"""
"""Microseconds. A key holds when all that was counted will be paid off, and expires then.

It is never further ahead than ``per``: where it seems to be, Redis' clock went back, or another Redis took over, and
the counting begins anew.
"""

_CHARGE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local charged, per, began = tonumber(ARGV[1]), tonumber(ARGV[2]), now - tonumber(ARGV[3])
local counted = tonumber(redis.call('GET', KEYS[1]) or began)
if counted > now + 2 * per then
  counted = began
end
local paid_off_at = math.min(now + 2 * per, math.max(began, counted) + charged)
if paid_off_at <= now then
  return 0
end
redis.call('SET', KEYS[1], string.format('%.0f', paid_off_at), 'PX', math.ceil((paid_off_at - now) / 1000))
return paid_off_at - now
"""
"""As `_TAKE`, with twice ``per`` as what a key is ahead at most."""


class RedisRateLimiter:
    """The `RateLimiter` of all nodes of one Redis, in one call each; Redis' own clock counts.

    Where an answer is lost, and Redis asked again, one call may count twice.
    """

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection

    async def take(self, key: str, rate: Rate) -> timedelta | None:
        name = self._connection.key("rate", key)
        interval, per = rate.interval // _MICROSECOND, rate.per // _MICROSECOND
        wait = await self._connection.call(
            lambda redis: redis.eval(_TAKE, 1, name, interval, per), RateLimiterUnavailable
        )
        return int(wait) * _MICROSECOND if wait else None

    async def charge(self, key: str, rate: Rate, count: int, *, ago: timedelta) -> timedelta:
        name = self._connection.key("rate", key)
        charged, per = count * rate.interval // _MICROSECOND, rate.per // _MICROSECOND
        owed = await self._connection.call(
            lambda redis: redis.eval(_CHARGE, 1, name, charged, per, ago // _MICROSECOND), RateLimiterUnavailable
        )
        return int(owed) * _MICROSECOND

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.backends.releases import Releases
from cronhook_core.errors import LockUnavailable
from cronhook_core.ports.lock import Held, Lease

_ACQUIRE = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return 0
end
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 0
end
local remaining = redis.call('PTTL', KEYS[1])
if remaining < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return tonumber(ARGV[2])
end
return math.max(remaining, 1)
"""
"""0: taken; else for how many milliseconds it is still held. A key that somebody made last for ever gets an end.

The token is drawn before: a repeat after a lost answer finds its own lease, and takes it again.
"""
_RENEW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
"""
_MILLISECOND = timedelta(milliseconds=1)


class RedisLock:
    """The `Lock` of all nodes of one Redis: a key that holds the token and expires. Redis' own clock counts."""

    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection
        self._channel = connection.key("released")
        self._releases = Releases(connection.clock)
        self._subscription = connection.subscribe(self._channel, self._released)

    async def acquire(self, name: str, ttl: timedelta, now: datetime) -> Lease | Held:
        lease = Lease(name=name, token=secrets.token_hex(16))
        self._releases.asking(name)
        remaining = await self._run(_ACQUIRE, name, lease.token, _milliseconds(ttl))
        if remaining == 0:
            self._releases.granted(name)
            return lease
        self._subscription.start()
        return Held(remaining=remaining * _MILLISECOND)

    async def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> bool:
        return await self._run(_RENEW, lease.name, lease.token, _milliseconds(ttl)) == 1

    async def release(self, lease: Lease, now: datetime) -> None:
        await self._run(_RELEASE, lease.name, lease.token, self._channel, lease.name)

    async def wait_released(self, name: str, timeout: timedelta) -> None:
        await self._subscription.listening(LockUnavailable)
        await self._releases.wait(name, timeout)

    async def _run(self, script: str, name: str, *arguments: str | int) -> int:
        key = self._connection.key("lock", name)
        answer: int = await self._connection.ask("EVAL", script, 1, key, *arguments, error=LockUnavailable)
        return answer

    def _released(self, name: bytes) -> None:
        self._releases.tell(name.decode(errors="replace"))


def _milliseconds(ttl: timedelta) -> int:
    return max(1, -(-ttl // _MILLISECOND))

"""Remember handled executions in Redis, for all processes of an application."""

from redis.asyncio import Redis

from cronhook_client.seen import Sighting

UNDER_WAY_SECONDS = 120
"""Longer than any handler takes, and than cronhook waits for one (60 s at most); as the middleware has it."""
HANDLED_SECONDS = 2 * 24 * 3600
"""Longer than the retries of an execution go on, unless its job has delays of days."""


class SeenInRedis:
    def __init__(self, redis: Redis, prefix: str = "webhook") -> None:
        self._redis = redis
        self._prefix = prefix

    async def begin(self, execution_id: str) -> Sighting:
        key = f"{self._prefix}:{execution_id}"
        if await self._redis.set(key, "under way", nx=True, ex=UNDER_WAY_SECONDS):
            return Sighting.NEW
        handled = await self._redis.get(key) in ("handled", b"handled")
        return Sighting.HANDLED if handled else Sighting.UNDER_WAY

    async def end(self, execution_id: str, *, handled: bool) -> None:
        key = f"{self._prefix}:{execution_id}"
        if handled:
            await self._redis.set(key, "handled", ex=HANDLED_SECONDS)
        else:
            await self._redis.delete(key)

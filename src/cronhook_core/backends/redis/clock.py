from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronhook_core.backends.clocks import RemoteClock
from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.errors import QueueUnavailable
from cronhook_core.ports.clock import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RedisClock(RemoteClock):
    """The `Clock` that all nodes of one Redis agree on: `sync` once, then `start`. ``base`` is the node's own clock."""

    def __init__(self, connection: RedisConnection, base: Clock) -> None:
        super().__init__(base, self._time_of_redis)
        self._connection = connection

    async def _time_of_redis(self) -> datetime:
        seconds, microseconds = await self._connection.ask("TIME", error=QueueUnavailable)
        return _EPOCH + timedelta(seconds=int(seconds), microseconds=int(microseconds))

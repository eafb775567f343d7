from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from cronhook_core.backends.announcements import Announcements
from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.backends.redis.messages import decode, decode_instant, encode, encode_instant
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.errors import QueueUnavailable

BOUND = 100_000
PUSHED_AT_ONCE = 1000
SHORTEST_BLOCK = 0.01
"""Redis takes a timeout of 0 for no timeout at all."""
_log = logging.getLogger(__name__)


class RedisQueue:
    """The `Queue` of all nodes of one Redis: a list whose newest message is its head, and a channel.

    ``dropped`` counts popped messages that another version of cronhook wrote in a format unknown here. A Redis whose
    memory is full takes no messages; that is no absence, and no error.
    """

    def __init__(self, connection: RedisConnection, *, bound: int = BOUND) -> None:
        self.dropped = 0
        self._connection = connection
        self._bound = bound
        self._full = False
        self._key = connection.key("queue")
        self._channel = connection.key("due")
        self._announcements = Announcements(connection.clock)
        self._subscription = connection.subscribe(self._channel, self._announced)

    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None:
        if not messages:
            return
        encoded = [encode(message) for message in messages[-self._bound :]]

        async def push(redis: Redis) -> None:
            pipeline = redis.pipeline(transaction=False)
            for start in range(0, len(encoded), PUSHED_AT_ONCE):
                pipeline.lpush(self._key, *encoded[start : start + PUSHED_AT_ONCE])
            pipeline.ltrim(self._key, 0, self._bound - 1)
            try:
                await pipeline.execute()
            except OutOfMemoryError as failure:
                self._found_full(failure)
            else:
                self._full = False

        await self._connection.call(push, QueueUnavailable)

    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        seconds = timeout.total_seconds()
        ends_at = self._connection.clock.monotonic() + seconds
        taken = await self._connection.call(lambda redis: self._pop_now(redis, limit), QueueUnavailable)
        if not taken and seconds > 0:
            taken = await self._connection.call(
                lambda redis: self._pop_later(redis, limit, ends_at), QueueUnavailable, blocks_for=seconds
            )
        return self._decoded(taken)

    async def depth(self) -> int:
        await self._connection.ping()  # a replica has a length as well, and takes nothing
        return await self._connection.call(lambda redis: redis.llen(self._key), QueueUnavailable)

    async def announce(self, due_at: datetime) -> None:
        message = encode_instant(due_at)
        await self._connection.call(lambda redis: redis.publish(self._channel, message), QueueUnavailable)

    async def wait(self, timeout: timedelta) -> datetime | None:
        self._announcements.expect()
        await self._subscription.listening(QueueUnavailable)
        return await self._announcements.wait(timeout)

    def _found_full(self, failure: OutOfMemoryError) -> None:
        """Told once, until it takes messages again."""
        if not self._full:
            self._full = True
            _log.warning("Redis is full and takes no messages; workers find their work in the store: %s", failure)

    async def _pop_now(self, redis: Redis, limit: int) -> list[bytes]:
        taken = await redis.rpop(self._key, limit) if limit > 0 else None
        return cast("list[bytes]", taken or [])

    async def _pop_later(self, redis: Redis, limit: int, ends_at: float) -> list[bytes]:
        seconds = ends_at - self._connection.clock.monotonic()
        answer = await redis.brpop([self._key], timeout=max(SHORTEST_BLOCK, seconds))
        if answer is None:
            return []
        return [cast("bytes", answer[1]), *await self._pop_now(redis, limit - 1)]

    def _decoded(self, taken: list[bytes]) -> list[QueueMessage]:
        messages = [message for encoded in taken if (message := decode(encoded)) is not None]
        if unknown := len(taken) - len(messages):
            self.dropped += unknown
            _log.warning(
                "dropped %d queue messages of an unknown format; workers find their work in the store", unknown
            )
        return messages

    def _announced(self, message: bytes) -> None:
        due_at = decode_instant(message)
        if due_at is not None:
            self._announcements.tell(due_at)

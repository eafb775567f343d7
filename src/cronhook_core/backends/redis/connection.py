from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.redis.patience import ANSWER_WITHIN, Backoff
from cronhook_core.backends.redis.pool import Pool, options_of
from cronhook_core.backends.redis.subscription import Subscription
from cronhook_core.errors import QueueUnavailable, Unavailable
from cronhook_core.ports.clock import Clock

_T = TypeVar("_T")


class RedisConnection:
    """What the queue, the lock and the clock of one process share: connections to one Redis.

    Nothing connects before the first call. After a failure calls fail at once for a pause that grows to 1 s, then the
    next one tries again on new connections: Redis may come back under another address.
    """

    def __init__(self, options: dict[str, Any], prefix: str, *, clock: Clock, random: Random) -> None:
        self.clock = clock
        self._options = options
        self._prefix = prefix
        self._random = random
        self._backoff = Backoff(random)
        self._refusing: tuple[float, str] | None = None
        self._pool = Pool(options)
        self._subscriptions: list[Subscription] = []
        self._closed = False

    @classmethod
    def open(
        cls, url: str, prefix: str = "cronhook", *, clock: Clock | None = None, random: Random | None = None
    ) -> RedisConnection:
        """``url`` begins with ``redis://``, ``rediss://`` or ``unix://``, every key and channel with ``prefix``.

        ``clock`` measures pauses. ``ValueError`` for a URL that can never work.
        """
        return cls(options_of(url), prefix, clock=clock or SystemClock(), random=random or Random())

    @property
    def pause_left(self) -> float:
        """Seconds for which calls still fail without being tried; 0 when the next one is tried."""
        return 0.0 if self._refusing is None else max(0.0, self._refusing[0] - self.clock.monotonic())

    def key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    async def call(
        self, command: Callable[[Redis], Awaitable[_T]], error: type[Unavailable], *, blocks_for: float = 0.0
    ) -> _T:
        """The answer to ``command``, which may ask Redis to wait ``blocks_for`` seconds.

        Every failure comes out as ``error``, at most 2 s after that.
        """
        self._refuse_during_pause(error)
        pool = self._pool
        try:
            async with pool as redis, asyncio.timeout(blocks_for + ANSWER_WITHIN):
                answer = await command(redis)
        except ResponseError as failure:
            if isinstance(failure, ReadOnlyError):  # a failover: the name may lead to another server by now
                await self._replace(pool)
            raise error(f"Redis refused: {failure}") from failure
        except (RedisError, OSError) as failure:
            reason = f"Redis is away: {str(failure) or f'no answer within {ANSWER_WITHIN} s'}"
            self._pause(reason)
            await self._replace(pool)
            raise error(reason) from failure
        self._backoff.answered()
        return answer

    def subscribe(self, channel: str, handle: Callable[[bytes], None]) -> Subscription:
        """A subscription, not started yet, that hands every message of ``channel`` to ``handle`` until `close`."""
        subscription = Subscription(
            lambda: self._pool.new_connection(), channel, handle, clock=self.clock, backoff=Backoff(self._random)
        )
        self._subscriptions.append(subscription)
        return subscription

    async def ping(self) -> None:
        """Return when Redis answers; ``QueueUnavailable`` otherwise."""
        await self.call(_ping, QueueUnavailable)

    async def may_delete_keys(self) -> bool:
        """Whether Redis is set to delete keys, locks included, when its memory is full."""
        memory = await self.call(_memory, QueueUnavailable)
        return str(memory.get("maxmemory_policy", "noeviction")) != "noeviction"

    async def close(self) -> None:
        """Close all connections. Calls under way and later ones fail; a repeat does nothing."""
        self._closed = True
        for subscription in self._subscriptions:
            await subscription.close()
        await self._pool.close()

    def _refuse_during_pause(self, error: type[Unavailable]) -> None:
        if self._closed:
            raise error("the connection to Redis was closed")
        if self._refusing is not None:
            until, reason = self._refusing
            if self.clock.monotonic() < until:
                raise error(reason)
            self._refusing = None

    def _pause(self, reason: str) -> None:
        if self._refusing is None:  # calls that failed together count as one
            self._refusing = (self.clock.monotonic() + self._backoff.failed(), reason)

    async def _replace(self, pool: Pool) -> None:
        if pool is self._pool and not self._closed:
            self._pool = Pool(self._options)
        await pool.retire()


async def _ping(redis: Redis) -> object:
    return await redis.ping()


async def _memory(redis: Redis) -> dict[str, Any]:
    return await redis.info("memory")

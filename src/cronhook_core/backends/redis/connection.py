from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeVar

from attrs import frozen
from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, ResponseError

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.redis.losses import is_loss
from cronhook_core.backends.redis.patience import ANSWER_WITHIN, Backoff
from cronhook_core.backends.redis.pool import Pool, options_of
from cronhook_core.backends.redis.subscription import Subscription
from cronhook_core.errors import QueueUnavailable, Unavailable
from cronhook_core.ports.clock import Clock

_T = TypeVar("_T")


@frozen(kw_only=True, eq=False)
class _Refusal:
    """Calls before ``until`` (monotonic) fail untried."""

    until: float
    reason: str


class _Outdated(Exception):
    """A call failed that began before another one was answered: that says nothing of Redis as it is now."""


class RedisConnection:
    """What the queue, the lock and the clock of one process share: connections to one Redis.

    Nothing connects before the first call. After a failure calls fail at once for a pause that grows to 1 s; then one
    tries again on new connections, for Redis may come back under another address, while the others still fail at once.

    All see Redis go and come back in the same order: no call fails for what befell it before the last answer to any.
    """

    def __init__(self, options: dict[str, Any], prefix: str, *, clock: Clock, random: Random) -> None:
        self.clock = clock
        self._options = options
        self._prefix = prefix
        self._random = random
        self._backoff = Backoff(random)
        self._refusal: _Refusal | None = None
        self._pool = Pool(options)
        self._answers = 0
        self._retiring: dict[asyncio.Task[None], Pool] = {}
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
        return 0.0 if self._refusal is None else max(0.0, self._refusal.until - self.clock.monotonic())

    def key(self, *parts: str) -> str:
        return ":".join((self._prefix, *parts))

    async def call(
        self, command: Callable[[Redis], Awaitable[_T]], error: type[Unavailable], *, blocks_for: float = 0.0
    ) -> _T:
        """The answer to ``command``, which may ask Redis to wait until ``blocks_for`` seconds after this call began.

        Every failure comes out as ``error``, at most 2 s after that. The command is run a second time where its first
        failure says nothing of now, so that a repeat must do no harm.
        """
        return await self._persist(lambda pool: command(pool.redis), error, blocks_for)

    async def ask(self, *command: str | int, error: type[Unavailable]) -> Any:
        """As `call`, for one command that is given all the time and answered at once."""
        return await self._persist(lambda pool: pool.ask(*command), error, 0.0)

    async def _persist(
        self, command: Callable[[Pool], Awaitable[_T]], error: type[Unavailable], blocks_for: float
    ) -> _T:
        ends_at = self.clock.monotonic() + blocks_for
        try:
            return await self._try(command, error, blocks_for)
        except _Outdated as outdated:
            try:
                return await self._try(command, error, max(0.0, ends_at - self.clock.monotonic()))
            except _Outdated:
                raise error(str(outdated)) from outdated.__cause__

    def subscribe(self, channel: str, handle: Callable[[bytes], None]) -> Subscription:
        """A subscription, not started yet, that hands every message of ``channel`` to ``handle`` until `close`."""
        subscription = Subscription(
            lambda: self._pool.new_connection(),
            channel,
            handle,
            ask=lambda error: self.call(_ping, error),
            clock=self.clock,
            backoff=Backoff(self._random),
        )
        self._subscriptions.append(subscription)
        return subscription

    async def ping(self) -> None:
        """Return when Redis answers, and does not only read; ``QueueUnavailable`` otherwise.

        A replica, and a server that has too few of them, answer a PING. One that is full takes this, for it still gives
        what it has.
        """
        await self.call(lambda redis: redis.pexpire(self.key("probe"), 1), QueueUnavailable)

    async def may_delete_keys(self) -> bool:
        """Whether Redis is set to delete keys, locks included, when its memory is full."""
        memory = await self.call(_memory, QueueUnavailable)
        return str(memory.get("maxmemory_policy", "noeviction")) != "noeviction"

    async def close(self) -> None:
        """Close all connections. Calls under way and later ones fail; a repeat does nothing."""
        self._closed = True
        for subscription in self._subscriptions:
            await subscription.close()
        await asyncio.gather(*(pool.close() for pool in (self._pool, *self._retiring.values())))
        await asyncio.gather(*self._retiring)

    def _begin(self, error: type[Unavailable]) -> _Refusal | None:
        """Refuse the call during a pause; after one let it try, and refuse others for as long as it may take."""
        if self._closed:
            raise error("the connection to Redis was closed")
        if self._refusal is not None:
            now = self.clock.monotonic()
            if now < self._refusal.until:
                raise error(self._refusal.reason)
            self._refusal = _Refusal(until=now + ANSWER_WITHIN, reason=self._refusal.reason)
        return self._refusal

    async def _try(self, command: Callable[[Pool], Awaitable[_T]], error: type[Unavailable], blocks_for: float) -> _T:
        """Nothing is waited for between the failure and its telling, or an answer of meanwhile would be told first."""
        before, answers, pool = self._begin(error), self._answers, self._pool
        try:
            async with pool, asyncio.timeout(blocks_for + ANSWER_WITHIN):
                answer = await command(pool)
        except ResponseError as failure:
            self._answered()
            if isinstance(failure, ReadOnlyError):  # a failover: the name may lead to another server by now
                self._replace(pool)
            raise error(f"Redis refused: {failure}") from failure
        except Exception as failure:
            if not is_loss(failure):
                raise
            reason = f"Redis is away: {str(failure) or f'no answer within {ANSWER_WITHIN} s'}"
            self._replace(pool)
            if self._answers != answers and not self._closed:
                raise _Outdated(reason) from failure
            self._pause(reason, before)
            raise error(reason) from failure
        self._answered()
        return answer

    def _answered(self) -> None:
        self._answers += 1
        self._refusal = None
        self._backoff.answered()

    def _pause(self, reason: str, before: _Refusal | None) -> None:
        if self._refusal is before:  # of calls that fail together the first one counts
            self._refusal = _Refusal(until=self.clock.monotonic() + self._backoff.failed(), reason=reason)

    def _replace(self, pool: Pool) -> None:
        if pool is self._pool and not self._closed:
            self._pool = Pool(self._options)
            retiring = asyncio.create_task(pool.retire(), name="cronhook-closes-connections-to-redis")
            self._retiring[retiring] = pool
            retiring.add_done_callback(self._retiring.pop)


async def _ping(redis: Redis) -> object:
    return await redis.ping()


async def _memory(redis: Redis) -> dict[str, Any]:
    return await redis.info("memory")

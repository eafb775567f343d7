from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from cronhook_core.backends.clocks import happens_within
from cronhook_core.backends.redis.losses import is_loss
from cronhook_core.backends.redis.patience import ANSWER_WITHIN, Backoff
from cronhook_core.errors import Unavailable
from cronhook_core.ports.clock import Clock

PING_AFTER = 5.0
"""Seconds of silence after which the connection is tried: a dead one loses messages without a word."""
_log = logging.getLogger(__name__)


class Subscription:
    """Listens to one channel on a connection of its own, and connects again for as long as it is not closed.

    Messages published while it is not connected are lost. Whether Redis is away is not for it to tell: ``ask`` asks
    Redis, and raises the error that it is given.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractConnection],
        channel: str,
        handle: Callable[[bytes], None],
        *,
        ask: Callable[[type[Unavailable]], Awaitable[object]],
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._handle = handle
        self._ask = ask
        self._clock = clock
        self._backoff = backoff
        self._listens = False
        self._tried = asyncio.Event()
        self._try_now = asyncio.Event()
        self._refused = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; a repeat has no effect."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"cronhook-listens-to-{self._channel}")

    async def listening(self, error: type[Unavailable]) -> None:
        """Start if need be and return when it listens; ``error`` is raised when Redis is away.

        It also returns where Redis is there and does not let it listen.
        """
        if self._listens:
            return
        await self._ask(error)
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN):
                for _ in range(2):  # the first try may have begun before Redis answered
                    if not self._listens:
                        await self._try_again()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _try_again(self) -> None:
        """Cut the pause short; return when a try has ended well or not."""
        self._tried.clear()
        self._try_now.set()
        self.start()
        await self._tried.wait()

    async def _run(self) -> None:
        while True:
            self._try_now.clear()
            try:
                await self._listen()
            except Exception as failure:
                if not is_loss(failure):
                    raise
                self._tell_if_refused(failure)
            finally:
                self._listens = False
                self._tried.set()
            await happens_within(self._try_now, self._backoff.failed(), self._clock)

    def _tell_if_refused(self, failure: Exception) -> None:
        """Once, until it listens again."""
        if isinstance(failure, ResponseError) and not self._refused:
            self._refused = True
            _log.warning("cannot listen to %s, what it tells comes late: Redis refused: %s", self._channel, failure)

    async def _listen(self) -> None:
        connection = self._connect()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("SUBSCRIBE", self._channel)
                await connection.read_response()
            self._backoff.answered()
            self._listens, self._refused = True, False
            self._tried.set()
            while True:
                await self._receive(connection)
        finally:
            await connection.disconnect(nowait=True)

    async def _receive(self, connection: AbstractConnection) -> None:
        answer = await connection.read_response(timeout=PING_AFTER)
        if answer is None:
            await connection.send_command("PING")
            answer = await connection.read_response(timeout=ANSWER_WITHIN)
        if answer is None:
            raise RedisConnectionError(f"no answer within {ANSWER_WITHIN} s")
        if answer[0] == b"message":
            self._handle(answer[2])

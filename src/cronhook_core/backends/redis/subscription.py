from __future__ import annotations

import asyncio
from collections.abc import Callable

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from cronhook_core.backends.redis.losses import is_loss
from cronhook_core.backends.redis.patience import ANSWER_WITHIN, Backoff
from cronhook_core.errors import Unavailable
from cronhook_core.ports.clock import Clock

PING_AFTER = 5.0
"""Seconds of silence after which the connection is tried: a dead one loses messages without a word."""


class Subscription:
    """Listens to one channel on a connection of its own, and connects again for as long as it is not closed.

    Messages published while it is not connected are lost.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractConnection],
        channel: str,
        handle: Callable[[bytes], None],
        *,
        clock: Clock,
        backoff: Backoff,
    ) -> None:
        self._connect = connect
        self._channel = channel
        self._handle = handle
        self._clock = clock
        self._backoff = backoff
        self._tried = asyncio.Event()
        self._failure: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; a repeat has no effect."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"cronhook-listens-to-{self._channel}")

    async def listening(self, error: type[Unavailable]) -> None:
        """Start if need be and return when it listens; ``error`` is raised when it just could not."""
        self.start()
        await self._tried.wait()
        if self._failure is not None:
            raise error(f"Redis is away: {self._failure}") from self._failure

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as failure:
                if not is_loss(failure):
                    raise
                self._failure = failure
                self._tried.set()
            await self._clock.sleep(self._backoff.failed())

    async def _listen(self) -> None:
        connection = self._connect()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("SUBSCRIBE", self._channel)
                await connection.read_response()
            self._backoff.answered()
            self._failure = None
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

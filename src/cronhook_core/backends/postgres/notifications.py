from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random

from cronhook_core.backends.postgres.connecting import Session
from cronhook_core.backends.postgres.failures import DRIVER_ERRORS
from cronhook_core.errors import Unavailable

PUSHED = "cronhook_pushed"
DUE = "cronhook_due"
RELEASED = "cronhook_released"
CHANNELS = (PUSHED, DUE, RELEASED)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
LISTEN_WITHIN = 1.75
"""Seconds after which whoever wants to hear is let go on, as it does where notifications are lost."""


class Notifications:
    """What any process NOTIFYs on our channels, heard on one connection that is opened when somebody first waits.

    While it is not connected notifications are lost, so whoever needs them polls as well. After each new connection
    every handler is called with an empty payload: something may have happened meanwhile. Whether the database is away
    is not for it to tell: ``ask`` asks the database, and raises the error that it is given.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        random: Random,
        *,
        ask: Callable[[type[Unavailable]], Awaitable[object]],
    ) -> None:
        self._connect = connect
        self._ask = ask
        self._random = random
        self._handlers: dict[str, list[Callable[[str], None]]] = {channel: [] for channel in CHANNELS}
        self._heard = False
        self._tried = asyncio.Event()
        self._try_now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pause = FIRST_PAUSE

    @property
    def heard(self) -> bool:
        """Whether notifications arrive at the moment, as far as is known."""
        return self._heard

    def subscribe(self, channel: str, handle: Callable[[str], None]) -> None:
        """Call ``handle`` with the payload of every notification of this channel."""
        self._handlers[channel].append(handle)

    def start(self) -> None:
        """Begin to listen; a repeat has no effect."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="cronhook-postgres-notifications")

    async def listening(self, error: type[Unavailable]) -> None:
        """Start if need be and return when notifications arrive; ``error`` is raised when the database is away.

        It also returns, in time for `Queue.wait`, where the database answers and does not let it listen.
        """
        if self._heard:
            return
        until = asyncio.get_running_loop().time() + LISTEN_WITHIN
        await self._ask(error)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                for _ in range(2):  # the first try may have begun before the database answered
                    if not self._heard:
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
                with suppress(*DRIVER_ERRORS):
                    await self._listen()
            finally:
                self._heard = False
                self._tried.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause * self._random.uniform(0.5, 1.0)):
                    await self._try_now.wait()
            self._pause = min(LONGEST_PAUSE, self._pause * 2)

    async def _listen(self) -> None:
        session = await self._connect()
        try:
            for channel in CHANNELS:
                await session.execute(f"LISTEN {channel}")
            self._connected()
            async for notification in session.notifies():
                self._tell(notification.channel, notification.payload)
        finally:
            await session.close()

    def _connected(self) -> None:
        self._pause = FIRST_PAUSE
        self._heard = True
        self._tried.set()
        for channel in CHANNELS:
            self._tell(channel, "")

    def _tell(self, channel: str, payload: str) -> None:
        for handle in self._handlers[channel]:
            handle(payload)

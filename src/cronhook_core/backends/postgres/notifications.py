from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from cronhook_core.backends.postgres.connecting import Session
from cronhook_core.backends.postgres.failures import DRIVER_ERRORS, judged
from cronhook_core.errors import Unavailable

PUSHED = "cronhook_pushed"
DUE = "cronhook_due"
RELEASED = "cronhook_released"
CHANNELS = (PUSHED, DUE, RELEASED)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0


class Notifications:
    """What any process NOTIFYs on our channels, heard on one connection that is opened when somebody first waits.

    While it is not connected notifications are lost, so whoever needs them polls as well. After each new connection
    every handler is called with an empty payload: something may have happened meanwhile.
    """

    def __init__(self, connect: Callable[[], Awaitable[Session]], random: Random) -> None:
        self._connect = connect
        self._random = random
        self._handlers: dict[str, list[Callable[[str], None]]] = {channel: [] for channel in CHANNELS}
        self._tried = asyncio.Event()
        self._failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._pause = FIRST_PAUSE

    @property
    def heard(self) -> bool:
        """Whether notifications arrive at the moment, as far as is known."""
        return self._task is not None and self._tried.is_set() and self._failure is None

    def subscribe(self, channel: str, handle: Callable[[str], None]) -> None:
        """Call ``handle`` with the payload of every notification of this channel."""
        self._handlers[channel].append(handle)

    def start(self) -> None:
        """Begin to listen; a repeat has no effect."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="cronhook-postgres-notifications")

    async def listening(self, error: type[Unavailable]) -> None:
        """Start if need be and return when notifications arrive; ``error`` is raised when they just could not."""
        self.start()
        await self._tried.wait()
        if self._failure is not None:
            raise judged(self._failure).as_error(error) from self._failure

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except DRIVER_ERRORS as failure:
                self._failure = failure
                self._tried.set()
            await asyncio.sleep(self._pause * self._random.uniform(0.5, 1.0))
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
        self._failure = None
        self._tried.set()
        for channel in CHANNELS:
            self._tell(channel, "")

    def _tell(self, channel: str, payload: str) -> None:
        for handle in self._handlers[channel]:
            handle(payload)

"""A few sessions for single statements, without the cost of a pool that knows of transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus

from cronhook_core.backends.postgres.connecting import Session
from cronhook_core.backends.postgres.failures import judged


class Sessions:
    """Lends up to ``size`` connections, the one used last first; they are opened when they are needed."""

    def __init__(self, connect: Callable[[], Awaitable[Session]], size: int) -> None:
        self._connect = connect
        self._free = asyncio.Semaphore(size)
        self._idle: list[Session] = []
        self._closed = False

    @asynccontextmanager
    async def lend(self, deadline: float) -> AsyncIterator[Session]:
        """A session of one's own. ``TimeoutError`` when there is none at ``deadline``, a time of the event loop."""
        async with asyncio.timeout_at(deadline):
            await self._free.acquire()
        try:
            connection = await self._take(deadline)
            try:
                yield connection
            except psycopg.Error as error:
                if judged(error).connection_lost:
                    await connection.close()
                raise
            finally:
                await self._give_back(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close all; what is lent is closed when it comes back."""
        self._closed = True
        await self._drop_idle()

    async def _take(self, deadline: float) -> Session:
        if self._idle:
            return self._idle.pop()
        async with asyncio.timeout_at(deadline):
            return await self._connect()

    async def _give_back(self, connection: Session) -> None:
        """A session whose caller was cancelled within a pipeline is in it still, and would answer nothing more."""
        quiet = connection.pgconn.pipeline_status == PipelineStatus.OFF
        if quiet and connection.pgconn.transaction_status == TransactionStatus.IDLE and not self._closed:
            self._idle.append(connection)
            return
        await connection.close()
        await self._drop_idle()

    async def _drop_idle(self) -> None:
        """Close what is not in use: where one connection was lost, the others may be dead as well."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

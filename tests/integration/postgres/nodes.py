"""What the tests of Postgres do and look at beside the code under test."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import psutil
import psycopg

from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.errors import Unavailable
from cronhook_core.testing.builders import NOW
from tests.services import PostgresServer

AT_ONCE = timedelta(0)
LONG = timedelta(minutes=10)
RETRY_EVERY = 0.02

Open = Callable[..., Awaitable[PostgresDatabase]]
Observer = psycopg.AsyncConnection[tuple[Any, ...]]


@asynccontextmanager
async def observed(url: str) -> AsyncIterator[Observer]:
    """A connection of the test's own, which commits each statement."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        yield connection


@asynccontextmanager
async def locked(url: str, query: str) -> AsyncIterator[None]:
    """A client that holds the row locks of this query."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(query)
        yield
        await connection.rollback()


@contextmanager
def hung(server: PostgresServer) -> Iterator[None]:
    """The server and all its backends stand still: connections are accepted, and nothing answers on them."""
    server.suspend()
    backends = psutil.Process(server.pid).children(recursive=True)
    for backend in backends:
        backend.suspend()
    try:
        yield
    finally:
        for backend in backends:
            backend.resume()
        server.resume()


async def sessions(observer: Observer, condition: str = "true") -> list[int]:
    """The backends of the code under test on this database for which the condition holds."""
    cursor = await observer.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cronhook' AND "
        + condition
    )
    return [pid for (pid,) in await cursor.fetchall()]


async def waiting(observer: Observer, count: int) -> list[int]:
    """Returns the backends that wait for a row's lock when they are this many."""
    return await _eventually(observer, "wait_event_type = 'Lock'", count)


async def sleeping(observer: Observer, count: int) -> list[int]:
    """Returns the backends that run `pg_sleep` when they are this many."""
    return await _eventually(observer, "wait_event = 'PgSleep'", count)


async def busy(observer: Observer, count: int) -> list[int]:
    """Returns the backends that run a statement or are within a transaction when they are this many."""
    return await _eventually(observer, "state <> 'idle'", count)


async def terminate(observer: Observer, pids: list[int]) -> None:
    """Returns when these backends are gone."""
    for pid in pids:
        await observer.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def _eventually(observer: Observer, condition: str, count: int) -> list[int]:
    async with asyncio.timeout(10.0):
        while len(pids := await sessions(observer, condition)) != count:
            await asyncio.sleep(0.005)
    return pids


@contextmanager
def takes_less_than(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert took < seconds, f"it took {took:.3f} s"


async def works_again(call: Callable[[], Awaitable[object]], *, within: float) -> None:
    """Returns when the call no longer fails, as a caller that does not give up sees it."""
    deadline = time.monotonic() + within
    while True:
        try:
            await call()
        except Unavailable:
            assert time.monotonic() < deadline, f"it does not work again within {within} s"
            await asyncio.sleep(RETRY_EVERY)
        else:
            return


def message(number: int = 1) -> QueueMessage:
    return QueueMessage(
        execution_id=f"exe_{number:026}",
        job_id="job_1",
        workspace_id="wsp_1",
        host="receiver.example",
        scheduled_for=NOW + timedelta(microseconds=number),
        attempt=number,
    )

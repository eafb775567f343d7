"""Values and expectations that the tests of Redis share."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.errors import QueueUnavailable, Unavailable

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AT_ONCE = timedelta(0)
LONG = timedelta(minutes=10)
RETRY_EVERY = 0.02

Connect = Callable[..., RedisConnection]
"""Opens a connection, with the arguments of `RedisConnection.open`, that the test's end closes."""


def message(number: int = 1) -> QueueMessage:
    return QueueMessage(
        execution_id=f"exe_{number:026}",
        job_id="job_1",
        workspace_id="wsp_1",
        host="receiver.example",
        scheduled_for=NOW + timedelta(microseconds=number),
        attempt=number,
    )


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


async def blocked_clients(connection: RedisConnection, count: int) -> None:
    """Returns when this many clients of the server wait in a blocking command."""
    async with asyncio.timeout(5.0):
        while True:
            clients = await connection.call(lambda redis: redis.info("clients"), QueueUnavailable)
            if clients["blocked_clients"] == count:
                return
            await asyncio.sleep(0.005)

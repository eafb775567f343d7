from collections.abc import AsyncIterator, Iterator

import pytest

from cronhook_core.backends.redis.connection import RedisConnection
from tests.integration.redis.expectations import Connect
from tests.services import ValkeyServer


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A server of the test's own, to be stopped and started as it likes."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens connections that the test's end closes."""
    opened: list[RedisConnection] = []

    def open_one(url: str, **options: str) -> RedisConnection:
        opened.append(RedisConnection.open(url, **options))
        return opened[-1]

    yield open_one
    for connection in opened:
        await connection.close()


@pytest.fixture
def connection(valkey: ValkeyServer, connect: Connect) -> RedisConnection:
    return connect(valkey.url)

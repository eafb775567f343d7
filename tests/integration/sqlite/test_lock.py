"""What the lock of a SQLite file promises beyond the contract: that a wrong wall clock does not keep it for ever."""

from datetime import timedelta
from pathlib import Path

import pytest

from cronhook_core.backends.sqlite import SqliteDatabase, SqliteLock
from cronhook_core.ports.lock import Held, Lease
from cronhook_core.testing.builders import NOW

TTL = timedelta(seconds=2)
HOUR = timedelta(hours=1)


@pytest.fixture
def lock(database: SqliteDatabase) -> SqliteLock:
    return SqliteLock(database)


async def test_a_lease_from_a_clock_that_was_set_back_has_ended(lock: SqliteLock) -> None:
    dead = await lock.acquire("leader", TTL, NOW + HOUR)
    assert isinstance(dead, Lease)
    assert isinstance(await lock.acquire("leader", TTL, NOW), Lease)
    assert not await lock.renew(dead, TTL, NOW)


async def test_a_holder_whose_clock_is_set_back_must_take_it_again(lock: SqliteLock) -> None:
    lease = await lock.acquire("leader", TTL, NOW + HOUR)
    assert isinstance(lease, Lease)
    assert not await lock.renew(lease, TTL, NOW)
    assert isinstance(await lock.acquire("leader", TTL, NOW), Lease)


async def test_a_caller_that_read_the_clock_a_little_before_takes_nothing(lock: SqliteLock) -> None:
    lease = await lock.acquire("leader", TTL, NOW + TTL / 2)
    assert isinstance(lease, Lease)
    assert isinstance(await lock.acquire("leader", TTL, NOW), Held)
    assert await lock.renew(lease, TTL, NOW)


async def test_a_short_wish_does_not_end_a_long_lease(lock: SqliteLock) -> None:
    assert isinstance(await lock.acquire("leader", HOUR, NOW), Lease)
    answer = await lock.acquire("leader", TTL, NOW)
    assert isinstance(answer, Held)
    assert answer.remaining == HOUR


async def test_a_lease_outlives_the_process_that_took_it(path: Path, lock: SqliteLock) -> None:
    async with SqliteDatabase.open(path) as another:
        assert isinstance(await SqliteLock(another).acquire("leader", TTL, NOW), Lease)
    assert isinstance(await lock.acquire("leader", TTL, NOW), Held)
    assert isinstance(await lock.acquire("leader", TTL, NOW + TTL), Lease)

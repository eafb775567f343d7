"""What becomes of a lock, and of the connection that its commands have for themselves, when Redis goes away."""

import asyncio
from datetime import timedelta

import pytest
from attrs import evolve

from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.backends.redis.lock import _ACQUIRE, RedisLock
from cronhook_core.errors import LockUnavailable, QueueUnavailable
from cronhook_core.ports.lock import Held, Lease
from tests.integration.redis.expectations import NOW, Connect, takes_less_than, works_again
from tests.integration.redis.proxy import Proxy
from tests.services import ValkeyServer

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


async def test_a_cut_connection_is_replaced_by_the_call_that_finds_out(connection: RedisConnection) -> None:
    lock = RedisLock(connection)
    lease = await lock.acquire("leader", MINUTE, NOW)
    assert isinstance(lease, Lease)
    for _ in range(3):
        await connection.call(lambda redis: redis.client_kill_filter(_type="normal", skipme=True), QueueUnavailable)
        assert await lock.renew(lease, MINUTE, NOW)


async def test_the_late_answer_of_a_lock_is_not_taken_for_the_next(
    valkey: ValkeyServer, connection: RedisConnection
) -> None:
    lock = RedisLock(connection)
    lease = await lock.acquire("leader", MINUTE, NOW)
    assert isinstance(lease, Lease)
    valkey.suspend()
    with takes_less_than(2.0), pytest.raises(LockUnavailable):
        await lock.renew(lease, MINUTE, NOW)
    valkey.resume()
    await works_again(connection.ping, within=3.0)
    assert isinstance(await lock.acquire("leader", MINUTE, NOW), Held)


async def test_a_cancelled_call_leaves_its_answer_to_nobody(valkey: ValkeyServer, connection: RedisConnection) -> None:
    lock = RedisLock(connection)
    lease = await lock.acquire("leader", MINUTE, NOW)
    assert isinstance(lease, Lease)
    valkey.suspend()
    renewing = asyncio.create_task(lock.renew(lease, MINUTE, NOW))
    await asyncio.sleep(0.1)
    renewing.cancel()
    await asyncio.wait([renewing])
    valkey.resume()
    assert isinstance(await lock.acquire("leader", MINUTE, NOW), Held), "it got the answer to the renewal"


async def test_calls_at_once_get_answers_of_their_own(connection: RedisConnection) -> None:
    lock = RedisLock(connection)
    leases = [await lock.acquire(f"lock {number}", MINUTE, NOW) for number in range(20)]
    held = [lease for lease in leases if isinstance(lease, Lease)]
    foreign = [evolve(lease, token="another") for lease in held]
    renewals = [lock.renew(lease, MINUTE, NOW) for pair in zip(held, foreign, strict=True) for lease in pair]
    assert await asyncio.gather(*renewals) == [True, False] * 20


async def test_a_lost_answer_of_acquire_leaves_a_lease_that_ends_by_itself(
    valkey: ValkeyServer, connect: Connect
) -> None:
    async with Proxy(valkey.port) as proxy:
        connection = connect(f"redis://127.0.0.1:{proxy.port}/0")
        lock = RedisLock(connection)
        await lock.acquire("another", SECOND, NOW)
        proxy.swallows_answers = True
        with pytest.raises(LockUnavailable):
            await lock.acquire("leader", 3 * SECOND, NOW)
        other = RedisLock(connect(valkey.url))
        held = await other.acquire("leader", SECOND, NOW)
        assert not isinstance(held, Lease)
        await asyncio.sleep(held.remaining.total_seconds() + 0.05)
        assert isinstance(await other.acquire("leader", SECOND, NOW), Lease)


async def test_a_repeated_acquire_takes_its_own_lease_again(connection: RedisConnection) -> None:
    lock = RedisLock(connection)
    lease = await lock.acquire("leader", SECOND, NOW)
    assert isinstance(lease, Lease)
    arguments = (1, connection.key("lock", lease.name), lease.token, 60_000)
    assert await connection.call(lambda redis: redis.eval(_ACQUIRE, *arguments), LockUnavailable) == 0
    held = await lock.acquire("leader", SECOND, NOW)
    assert isinstance(held, Held)
    assert held.remaining > 50 * SECOND


async def test_calls_of_a_lock_that_are_under_way_end_with_the_connection(
    valkey: ValkeyServer, connect: Connect
) -> None:
    """One waits for its answer, and one for its turn; neither connects anew."""
    async with Proxy(valkey.port) as proxy:
        connection = connect(f"redis://127.0.0.1:{proxy.port}/0")
        lock = RedisLock(connection)
        lease = await lock.acquire("leader", MINUTE, NOW)
        assert isinstance(lease, Lease)
        proxy.swallows_answers = True
        renewals = [asyncio.ensure_future(lock.renew(lease, MINUTE, NOW)) for _ in range(2)]
        await asyncio.sleep(0.1)
        proxy.swallows_answers = False
        connected = proxy.connections
        await connection.close()
        ends = await asyncio.gather(*renewals, return_exceptions=True)
        assert [type(end) for end in ends] == [LockUnavailable, LockUnavailable]
        assert proxy.connections <= connected

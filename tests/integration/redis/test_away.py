"""Redis goes away and comes back: calls fail soon and as the ports say, and nothing needs a restart."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import redis
from redis.asyncio.connection import AbstractConnection

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.redis import subscription
from cronhook_core.backends.redis.clock import RedisClock
from cronhook_core.backends.redis.connection import RedisConnection
from cronhook_core.backends.redis.lock import RedisLock
from cronhook_core.backends.redis.pool import Pool
from cronhook_core.backends.redis.queue import RedisQueue
from cronhook_core.errors import LockUnavailable, QueueUnavailable, Unavailable
from cronhook_core.ports.lock import Lease
from tests.integration.redis.expectations import (
    AT_ONCE,
    LONG,
    NOW,
    Connect,
    blocked_clients,
    message,
    takes_less_than,
    works_again,
)
from tests.integration.redis.proxy import Proxy
from tests.services import ValkeyServer

pytestmark = pytest.mark.suite("integration")

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LEASE = Lease(name="leader", token="a token")
RESET_UNDER_UVLOOP = "unable to perform operation on <TCPTransport closed=True>; the handler is closed"
"""What uvloop says of a write on a connection that was reset; asyncio's own loop says nothing then."""

Call = tuple[type[Unavailable], Callable[[], Awaitable[object]]]


def calls_without_a_timeout(connection: RedisConnection) -> list[Call]:
    queue, lock = RedisQueue(connection), RedisLock(connection)
    return [
        (QueueUnavailable, lambda: queue.push([message()], NOW)),
        (QueueUnavailable, lambda: queue.pop(5, AT_ONCE, NOW)),
        (QueueUnavailable, queue.depth),
        (QueueUnavailable, lambda: queue.announce(NOW)),
        (QueueUnavailable, lambda: queue.wait(AT_ONCE)),
        (LockUnavailable, lambda: lock.acquire("leader", SECOND, NOW)),
        (LockUnavailable, lambda: lock.renew(LEASE, SECOND, NOW)),
        (LockUnavailable, lambda: lock.release(LEASE, NOW)),
        (LockUnavailable, lambda: lock.wait_released("leader", AT_ONCE)),
        (QueueUnavailable, connection.ping),
        (QueueUnavailable, connection.may_delete_keys),
        (QueueUnavailable, RedisClock(connection, SystemClock()).sync),
    ]


async def test_a_killed_server_fails_every_call_at_once(valkey: ValkeyServer, connect: Connect) -> None:
    before = connect(valkey.url)
    await before.ping()
    await asyncio.to_thread(valkey.kill)
    for error, call in [*calls_without_a_timeout(before), *calls_without_a_timeout(connect(valkey.url))]:
        with takes_less_than(0.5), pytest.raises(error):
            await call()


async def test_waiting_calls_end_when_the_server_is_killed(valkey: ValkeyServer, connection: RedisConnection) -> None:
    popping = asyncio.create_task(RedisQueue(connection).pop(5, LONG, NOW))
    await blocked_clients(connection, 1)
    await asyncio.to_thread(valkey.kill)
    with takes_less_than(2.0), pytest.raises(QueueUnavailable):
        await popping


async def test_everything_works_again_after_a_restart(valkey: ValkeyServer, connection: RedisConnection) -> None:
    queue, lock = RedisQueue(connection), RedisLock(connection)
    await queue.wait(AT_ONCE)
    await lock.wait_released("leader", AT_ONCE)
    await asyncio.to_thread(valkey.kill)
    for _ in range(20):
        with pytest.raises(QueueUnavailable):
            await queue.depth()
    await asyncio.to_thread(valkey.start)

    await works_again(queue.depth, within=3.0)
    await queue.push([message()], NOW)
    assert list(await queue.pop(5, AT_ONCE, NOW)) == [message()]
    lease = await lock.acquire("leader", SECOND, NOW)
    assert isinstance(lease, Lease)
    await works_again(lambda: queue.wait(AT_ONCE), within=3.0)
    await works_again(lambda: lock.wait_released("leader", AT_ONCE), within=3.0)
    waiting = [asyncio.create_task(queue.wait(LONG)), asyncio.create_task(lock.wait_released("leader", LONG))]
    await asyncio.sleep(0)
    await queue.announce(NOW)
    await lock.release(lease, NOW)
    assert await asyncio.wait_for(asyncio.gather(*waiting), 5.0) == [NOW, None]


async def test_a_restart_between_two_calls_goes_unnoticed(valkey: ValkeyServer, connection: RedisConnection) -> None:
    lock = RedisLock(connection)
    await asyncio.gather(*(connection.ping() for _ in range(10)), lock.release(LEASE, NOW))
    await asyncio.to_thread(valkey.restart)
    await asyncio.gather(*(connection.ping() for _ in range(10)), lock.release(LEASE, NOW))


async def test_a_server_that_does_not_answer_costs_a_call_less_than_two_seconds(
    valkey: ValkeyServer, connect: Connect
) -> None:
    calls = []
    for number in range(len(calls_without_a_timeout(connect(valkey.url)))):
        connection = connect(valkey.url)
        await connection.ping()
        calls.append(calls_without_a_timeout(connection)[number])
    valkey.suspend()
    with takes_less_than(2.0):
        failures = await asyncio.gather(*(call() for _, call in calls), return_exceptions=True)
    assert [type(failure) for failure in failures] == [error for error, _ in calls]


async def test_waiting_calls_cost_less_than_their_timeout_and_two_seconds(
    valkey: ValkeyServer, connection: RedisConnection
) -> None:
    queue = RedisQueue(connection)
    await queue.wait(AT_ONCE)
    valkey.suspend()
    with takes_less_than(3.0):
        popped, waited = await asyncio.gather(queue.pop(5, SECOND, NOW), queue.wait(SECOND), return_exceptions=True)
    assert isinstance(popped, QueueUnavailable)
    assert waited is None


async def test_after_a_failure_calls_fail_without_trying(valkey: ValkeyServer, connection: RedisConnection) -> None:
    """So that a server that only accepts does not hold up every request of an API."""
    valkey.suspend()
    for _ in range(3):
        with pytest.raises(QueueUnavailable):
            await connection.ping()
        with takes_less_than(0.02), pytest.raises(QueueUnavailable):
            await connection.ping()
        await asyncio.sleep(connection.pause_left)


async def test_while_one_call_tries_the_others_fail_at_once(valkey: ValkeyServer, connection: RedisConnection) -> None:
    valkey.suspend()
    with pytest.raises(QueueUnavailable):
        await connection.ping()
    await asyncio.sleep(connection.pause_left)
    trial = asyncio.create_task(connection.ping())
    await asyncio.sleep(0)
    with takes_less_than(0.1):
        failures = await asyncio.gather(*(connection.ping() for _ in range(50)), return_exceptions=True)
    assert {type(failure) for failure in failures} == {QueueUnavailable}
    assert not trial.done()
    valkey.resume()
    await trial
    await asyncio.gather(*(connection.ping() for _ in range(50)))


async def test_a_late_answer_is_not_taken_for_the_next_calls(valkey: ValkeyServer, connection: RedisConnection) -> None:
    queue = RedisQueue(connection)
    await queue.push([message(1), message(2), message(3)], NOW)
    valkey.suspend()
    with pytest.raises(QueueUnavailable):
        await queue.pop(1, AT_ONCE, NOW)
    valkey.resume()
    await works_again(connection.ping, within=3.0)
    assert await queue.depth() == 2


async def test_a_server_that_accepts_and_never_answers(valkey: ValkeyServer, connect: Connect) -> None:
    async with Proxy(valkey.port) as proxy:
        proxy.accepts_only = True
        connection = connect(f"redis://127.0.0.1:{proxy.port}/0")
        with takes_less_than(2.0), pytest.raises(QueueUnavailable):
            await connection.ping()
        proxy.accepts_only = False
        await works_again(connection.ping, within=3.0)


async def test_one_dead_connection_condemns_the_others_that_are_as_old(valkey: ValkeyServer, connect: Connect) -> None:
    async with Proxy(valkey.port) as proxy:
        connection = connect(f"redis://127.0.0.1:{proxy.port}/0")
        await asyncio.gather(*(connection.ping() for _ in range(10)))
        proxy.forget_connections()
        with pytest.raises(QueueUnavailable):
            await connection.ping()
        await asyncio.sleep(connection.pause_left)
        await connection.ping()
        await asyncio.gather(*(connection.ping() for _ in range(10)))


async def test_a_failover_to_another_server_behind_the_same_name(valkey: ValkeyServer, connect: Connect) -> None:
    with ValkeyServer() as promoted:
        async with Proxy(valkey.port) as proxy:
            queue = RedisQueue(connect(f"redis://127.0.0.1:{proxy.port}/0"))
            await queue.push([message(1)], NOW)
            with redis.Redis.from_url(valkey.url) as client:
                client.replicaof("127.0.0.1", promoted.port)
            proxy.target_port = promoted.port
            with pytest.raises(QueueUnavailable, match=r"(?i)read.?only"):
                await queue.push([message(2)], NOW)
            await queue.push([message(3)], NOW)
            assert list(await queue.pop(5, AT_ONCE, NOW)) == [message(3)]


async def test_a_replica_is_away(valkey: ValkeyServer, connect: Connect) -> None:
    """It answers a PING, and tells the length of the list."""
    connection = connect(valkey.url)
    await connection.ping()
    with ValkeyServer() as primary, redis.Redis.from_url(valkey.url) as client:
        client.replicaof("127.0.0.1", primary.port)
        for call in (connection.ping, RedisQueue(connection).depth):
            with pytest.raises(QueueUnavailable, match=r"(?i)read.?only"):
                await call()
        client.replicaof("no", "one")
        await connection.ping()


async def test_a_lost_answer_of_pop_loses_hints_and_nothing_else(valkey: ValkeyServer, connect: Connect) -> None:
    async with Proxy(valkey.port) as proxy:
        connection = connect(f"redis://127.0.0.1:{proxy.port}/0")
        queue = RedisQueue(connection)
        await queue.push([message(number) for number in range(10)], NOW)
        proxy.swallows_answers = True
        with takes_less_than(2.0), pytest.raises(QueueUnavailable):
            await queue.pop(4, AT_ONCE, NOW)
        proxy.swallows_answers = False
        await works_again(connection.ping, within=3.0)
        assert list(await queue.pop(100, AT_ONCE, NOW)) == [message(number) for number in range(4, 10)]


async def test_a_connection_that_was_reset_is_a_loss(connection: RedisConnection) -> None:
    async def write(_: object) -> None:
        raise RuntimeError(RESET_UNDER_UVLOOP)

    with pytest.raises(QueueUnavailable):
        await connection.call(write, QueueUnavailable)
    await works_again(connection.ping, within=5.0)


async def test_a_mistake_is_not_taken_for_a_loss(connection: RedisConnection) -> None:
    async def mistaken(_: object) -> None:
        raise RuntimeError("this command was never finished")

    with pytest.raises(RuntimeError, match="never finished"):
        await connection.call(mistaken, QueueUnavailable)
    await connection.ping()


async def test_a_subscription_that_was_reset_listens_again(
    connection: RedisConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    resets = [RuntimeError(RESET_UNDER_UVLOOP)]
    send = AbstractConnection.send_command
    was_reset = asyncio.Event()

    async def send_or_fail(*arguments: object, **named: object) -> object:
        if "PING" in arguments and resets:
            was_reset.set()
            raise resets.pop()
        return await send(*arguments, **named)

    queue = RedisQueue(connection)
    monkeypatch.setattr(subscription, "PING_AFTER", 0.05)
    await queue.wait(AT_ONCE)
    monkeypatch.setattr(AbstractConnection, "send_command", send_or_fail)
    waiting = asyncio.create_task(queue.wait(LONG))
    await asyncio.wait_for(was_reset.wait(), 5.0)
    await works_again(lambda: queue.wait(AT_ONCE), within=5.0)
    await queue.announce(NOW)
    assert await asyncio.wait_for(waiting, 5.0) == NOW


async def test_a_dead_subscription_is_found_out(
    valkey: ValkeyServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "PING_AFTER", 0.1)
    async with Proxy(valkey.port) as proxy:
        queue = RedisQueue(connect(f"redis://127.0.0.1:{proxy.port}/0"))
        await queue.wait(AT_ONCE)
        proxy.accepts_only = True
        await fails(lambda: queue.wait(AT_ONCE), QueueUnavailable, within=5.0)
        proxy.accepts_only = False
        await works_again(lambda: queue.wait(AT_ONCE), within=5.0)
        waiting = asyncio.create_task(queue.wait(LONG))
        await asyncio.sleep(0)
        await works_again(lambda: queue.announce(NOW), within=5.0)
        assert await asyncio.wait_for(waiting, 5.0) == NOW


class EndlessPauses(SystemClock):
    """A pause that was begun does not end by itself."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def test_a_subscription_that_broke_before_says_nothing_once_redis_answers(
    valkey: ValkeyServer, connect: Connect
) -> None:
    """Otherwise a process sees Redis come back, go and come back again."""
    connection = connect(valkey.url, clock=EndlessPauses())
    queue, lock = RedisQueue(connection), RedisLock(connection)
    await queue.wait(AT_ONCE)
    await lock.wait_released("leader", AT_ONCE)
    await asyncio.to_thread(valkey.kill)
    await fails(lambda: queue.wait(AT_ONCE), QueueUnavailable, within=5.0)
    await fails(lambda: lock.wait_released("leader", AT_ONCE), LockUnavailable, within=5.0)
    await asyncio.to_thread(valkey.start)
    await works_again(queue.depth, within=3.0)
    await queue.wait(AT_ONCE)
    await lock.wait_released("leader", AT_ONCE)
    await queue.announce(NOW)
    with takes_less_than(5.0):
        while await queue.wait(AT_ONCE) != NOW:
            await asyncio.sleep(0.01)


async def test_a_subscription_that_redis_refuses_is_no_absence(
    valkey: ValkeyServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.acl_setuser("deaf", enabled=True, passwords=["+secret"], categories=["+@all"], keys=["*"], reset=True)
        deaf = RedisQueue(connect(valkey.url.replace("redis://", "redis://deaf:secret@")))
        for _ in range(3):
            assert await deaf.wait(AT_ONCE) is None
        assert caplog.text.count("cannot listen") == 1
        client.acl_setuser("deaf", enabled=True, channels=["*"])
        await deaf.wait(AT_ONCE)
        await deaf.announce(NOW)
        with takes_less_than(5.0):
            while await deaf.wait(AT_ONCE) != NOW:
                await asyncio.sleep(0.01)


async def test_a_connection_of_before_that_breaks_says_nothing_of_now(valkey: ValkeyServer, connect: Connect) -> None:
    async with Proxy(valkey.port) as proxy:
        connection = connect(f"redis://127.0.0.1:{proxy.port}/0")
        queue = RedisQueue(connection)
        popping = asyncio.create_task(queue.pop(5, 30 * SECOND, NOW))
        await blocked_clients(connect(valkey.url), 1)
        proxy.forget_connections()
        await connection.ping()  # on another one
        await proxy.cut_forgotten_connections()
        await blocked_clients(connection, 1)
        assert connection.pause_left == 0
        await queue.push([message()], NOW)
        assert list(await popping) == [message()]


async def test_a_call_that_was_tried_anew_ends_with_its_time(valkey: ValkeyServer, connect: Connect) -> None:
    async with Proxy(valkey.port) as proxy:
        connection = connect(f"redis://127.0.0.1:{proxy.port}/0")
        with takes_less_than(3.0):
            popping = asyncio.create_task(RedisQueue(connection).pop(5, 2 * SECOND, NOW))
            await blocked_clients(connect(valkey.url), 1)
            proxy.forget_connections()
            await connection.ping()
            await proxy.cut_forgotten_connections()
            assert list(await popping) == []


async def test_a_failure_is_told_before_its_connections_are_closed(
    connection: RedisConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told late of a failure takes it for one of then."""
    told, close = asyncio.Event(), Pool.close

    async def close_later(pool: Pool) -> None:
        await told.wait()
        await close(pool)

    async def lose(_: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(Pool, "close", close_later)
    with takes_less_than(0.5), pytest.raises(QueueUnavailable):
        await connection.call(lose, QueueUnavailable)
    told.set()


async def test_a_silent_subscription_stays(
    valkey: ValkeyServer, connection: RedisConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "PING_AFTER", 0.05)
    queue = RedisQueue(connection)
    waiting = asyncio.create_task(queue.wait(LONG))
    await asyncio.sleep(0.4)
    await queue.announce(NOW)
    assert await asyncio.wait_for(waiting, 5.0) == NOW


async def test_a_closed_connection_answers_nothing(valkey: ValkeyServer, connection: RedisConnection) -> None:
    await connection.ping()
    popping = asyncio.create_task(RedisQueue(connection).pop(5, LONG, NOW))
    await blocked_clients(connection, 1)
    await connection.close()
    await connection.close()
    with pytest.raises(QueueUnavailable):
        await popping
    with pytest.raises(QueueUnavailable):
        await connection.ping()


async def test_a_cancelled_pop_leaves_nothing_blocked(valkey: ValkeyServer, connection: RedisConnection) -> None:
    popping = asyncio.create_task(RedisQueue(connection).pop(5, LONG, NOW))
    await blocked_clients(connection, 1)
    popping.cancel()
    await asyncio.wait([popping])
    await blocked_clients(connection, 0)


async def fails(call: Callable[[], Awaitable[object]], error: type[Unavailable], *, within: float) -> None:
    async with asyncio.timeout(within):
        while True:
            try:
                await call()
            except error:
                return
            await asyncio.sleep(0.01)

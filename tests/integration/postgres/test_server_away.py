"""The server stops, hangs and comes back: calls end soon, as their ports say, and nothing needs to be opened anew."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from cronhook_core.backends.postgres import notifications
from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.clock import PostgresClock
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.postgres.lock import _ACQUIRE, PostgresLock
from cronhook_core.backends.postgres.queue import PostgresQueue
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.errors import LockUnavailable, QueueUnavailable, StoreUnavailable, Unavailable
from cronhook_core.ports.lock import Held, Lease
from cronhook_core.testing.builders import NOW, make_plan, succeeded
from cronhook_core.testing.job_store.scene import LATER, Scene
from tests.integration.postgres.nodes import AT_ONCE, LONG, Open, hung, message, takes_less_than, works_again
from tests.services import PostgresServer, free_port

pytestmark = pytest.mark.suite("integration")

SECOND = timedelta(seconds=1)
LEASE = Lease(name="leader", token="a token")

Call = tuple[type[Unavailable], Callable[[], Awaitable[object]]]


def every_kind_of_call(database: PostgresDatabase) -> list[Call]:
    store, accounts = PostgresJobStore(database), PostgresAccountStore(database)
    queue, lock = PostgresQueue(database), PostgresLock(database)
    return [
        (StoreUnavailable, store.ping),
        (StoreUnavailable, lambda: store.beat("wrk_1", NOW)),
        (StoreUnavailable, lambda: store.claim(["exe_1"], worker_id="wrk_1", now=NOW)),
        (StoreUnavailable, lambda: store.due_jobs(NOW, 10)),
        (StoreUnavailable, lambda: store.cancel_execution("wsp_1", "exe_1", now=NOW)),
        (StoreUnavailable, lambda: accounts.get_workspace("wsp_1")),
        (StoreUnavailable, PostgresClock(database).sync),
        (QueueUnavailable, lambda: queue.push([message()], NOW)),
        (QueueUnavailable, lambda: queue.pop(5, AT_ONCE, NOW)),
        (QueueUnavailable, queue.depth),
        (QueueUnavailable, lambda: queue.announce(NOW)),
        (LockUnavailable, lambda: lock.acquire("leader", SECOND, NOW)),
        (LockUnavailable, lambda: lock.renew(LEASE, SECOND, NOW)),
        (LockUnavailable, lambda: lock.release(LEASE, NOW)),
    ]


async def fails(error: type[Unavailable], call: Callable[[], Awaitable[object]], *, within: float) -> None:
    with takes_less_than(within), pytest.raises(error) as raised:
        await call()
    assert type(raised.value) is error


async def test_a_stopped_server_fails_every_call_soon(
    server: PostgresServer, database: PostgresDatabase, open_database: Open
) -> None:
    await asyncio.gather(*(call() for _, call in every_kind_of_call(database)))
    never_connected = await open_database()
    await asyncio.to_thread(server.stop)
    try:
        await asyncio.gather(
            *(fails(error, call, within=3.0) for error, call in every_kind_of_call(database)),
            *(fails(error, call, within=3.0) for error, call in every_kind_of_call(never_connected)),
        )
    finally:
        await asyncio.to_thread(server.start)
    await asyncio.gather(*(call() for _, call in every_kind_of_call(database)))
    await asyncio.gather(*(call() for _, call in every_kind_of_call(never_connected)))


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_everything_works_again_after_a_restart(
    server: PostgresServer, scene: Scene, database: PostgresDatabase, mode: Literal["fast", "immediate"]
) -> None:
    queue, lock, clock = PostgresQueue(database), PostgresLock(database), PostgresClock(database)
    job = await scene.job()
    running = await scene.running(job)
    lease = await lock.acquire("leader", timedelta(minutes=1), NOW)
    assert isinstance(lease, Lease)
    planning = asyncio.create_task(queue.wait(LONG))
    popping = asyncio.create_task(keep_popping(queue))
    waiting = asyncio.create_task(lock.wait_released("leader", LONG))
    await database.notifications.listening(QueueUnavailable)
    await asyncio.to_thread(server.restart, mode)
    with takes_less_than(5.0):
        await works_again(scene.store.ping, within=5.0)
        await works_again(lambda: database.notifications.listening(QueueUnavailable), within=5.0)
        [verdict] = await scene.store.finish([succeeded(running)], LATER)
        assert (verdict.accepted, verdict.status) == (True, ExecutionStatus.SUCCEEDED)
        assert len(await scene.store.plan([make_plan(job)], LATER)) == 1
        assert (await scene.job_now(job)).id == job.id
        assert await lock.renew(lease, timedelta(minutes=1), NOW)
        await clock.sync()
        await queue.push([message()], NOW)
        await queue.announce(LATER)
        await lock.release(lease, NOW)
        assert await planning == LATER
        assert await popping == [message()]
        await waiting


async def keep_popping(queue: PostgresQueue) -> list[object]:
    while True:
        try:
            return list(await queue.pop(1, LONG, NOW))
        except QueueUnavailable:
            await asyncio.sleep(0.05)


async def test_a_server_that_hangs_fails_every_call_within_its_bound(
    server: PostgresServer, open_database: Open
) -> None:
    connected, never_connected = await open_database(answer_within=1.0), await open_database(answer_within=1.0)
    await asyncio.gather(*(call() for _, call in every_kind_of_call(connected)))
    with hung(server):
        await asyncio.gather(
            *(fails(error, call, within=2.5) for error, call in every_kind_of_call(connected)),
            *(fails(error, call, within=4.5) for error, call in every_kind_of_call(never_connected)),
        )
    await asyncio.gather(*(works_again(call, within=5.0) for _, call in every_kind_of_call(connected)))
    await asyncio.gather(*(works_again(call, within=5.0) for _, call in every_kind_of_call(never_connected)))


async def test_a_call_cancelled_while_the_server_hangs_ends(server: PostgresServer, open_database: Open) -> None:
    database = await open_database(answer_within=1.0)
    store = PostgresJobStore(database)
    await store.ping()
    await store.due_jobs(NOW, 1)
    with hung(server):
        calls = [asyncio.ensure_future(store.beat("wrk_1", NOW)), asyncio.ensure_future(store.due_jobs(NOW, 1))]
        await asyncio.sleep(0.1)
        for call in calls:
            call.cancel()
        with takes_less_than(8.0):
            await asyncio.wait(calls)
    await works_again(store.ping, within=5.0)


async def test_a_server_that_was_never_there_is_away(open_database: Open) -> None:
    nowhere = await open_database(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    await asyncio.gather(*(fails(error, call, within=3.0) for error, call in every_kind_of_call(nowhere)))


async def test_a_waiting_pop_tells_that_the_server_went_away(
    server: PostgresServer, database: PostgresDatabase
) -> None:
    queue = PostgresQueue(database)
    popping = asyncio.create_task(queue.pop(1, LONG, NOW))
    await database.notifications.listening(QueueUnavailable)
    await asyncio.to_thread(server.stop)
    try:
        await fails(QueueUnavailable, lambda: popping, within=4.0)
    finally:
        await asyncio.to_thread(server.start)


async def test_notifications_that_ended_before_say_nothing_once_the_server_answers(
    server: PostgresServer, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a process without Redis sees its queue come back, go and come back again."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(notifications, name, 1000.0)
    queue, lock = PostgresQueue(database), PostgresLock(database)
    await queue.wait(AT_ONCE)
    await asyncio.to_thread(server.stop)
    try:
        await fails(QueueUnavailable, lambda: keep_waiting(queue), within=5.0)
        await fails(LockUnavailable, lambda: lock.wait_released("leader", AT_ONCE), within=3.0)
    finally:
        await asyncio.to_thread(server.start)
    await works_again(queue.depth, within=5.0)
    await queue.wait(AT_ONCE)
    assert database.notifications.heard
    await lock.wait_released("leader", AT_ONCE)


async def keep_waiting(queue: PostgresQueue) -> None:
    """Until it fails."""
    while True:
        await queue.wait(AT_ONCE)
        await asyncio.sleep(0.005)


async def test_a_lost_answer_of_the_lock_is_recovered_by_its_token(database: PostgresDatabase) -> None:
    """An acquisition that was committed and is repeated takes its own lease again."""
    lock = PostgresLock(database)
    lease = await lock.acquire("leader", timedelta(minutes=1), NOW)
    assert isinstance(lease, Lease)
    assert await database.execute(_ACQUIRE, [lease.name, lease.token, SECOND])
    assert isinstance(await lock.acquire("leader", SECOND, NOW), Held)


async def test_the_clock_shows_the_databases_time(database: PostgresDatabase) -> None:
    clock = PostgresClock(database)
    await clock.sync()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=0.2)

"""Behind a pooler in transaction mode: nothing that belongs to a session, and polling instead of notifications."""

import asyncio
import re
from datetime import timedelta

import pytest

from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.postgres.lock import PostgresLock
from cronhook_core.backends.postgres.queue import PostgresQueue
from cronhook_core.errors import ConfigurationError
from cronhook_core.ports.lock import Lease
from cronhook_core.testing.builders import NOW, gone, make_plan, succeeded
from cronhook_core.testing.job_store.scene import LATER, Scene
from tests.integration.postgres.nodes import LONG, Open, message, observed, sessions, takes_less_than
from tests.services import PostgresServer


@pytest.fixture
async def pooled(open_database: Open) -> PostgresDatabase:
    return await open_database(through_pooler=True)


async def test_no_statement_belongs_to_a_session(
    server: PostgresServer, pooled: PostgresDatabase, scene: Scene, url: str
) -> None:
    job = await scene.job()
    claims = [await scene.running(job) for _ in range(4)]
    name = url.rpartition("/")[2]
    async with observed(url) as observer:
        await observer.execute(f"ALTER DATABASE \"{name}\" SET log_statement = 'all'")
    written = len(server.log())
    store, queue, lock = PostgresJobStore(pooled), PostgresQueue(pooled), PostgresLock(pooled)
    for claim in claims[1:]:
        await store.finish([succeeded(claim)], LATER)
        await store.due_jobs(LATER, 10)
    await store.plan([make_plan(job)], LATER)
    await store.finish([gone(claims[0])], LATER)
    await queue.push([message()], NOW)
    assert len(await queue.pop(1, LONG, NOW)) == 1
    await queue.announce(NOW)
    assert await queue.wait(timedelta(0)) is None
    lease = await lock.acquire("leader", LONG, NOW)
    await lock.wait_released("leader", timedelta(0))
    assert isinstance(lease, Lease)
    await lock.release(lease, NOW)
    log = server.log()[written:]
    assert len(re.findall(rf"^{re.escape(name)}\|LOG:  execute <unnamed>", log, re.MULTILINE)) > 10
    assert not re.findall(
        r"execute (?!<unnamed>)|\b(?:LISTEN|UNLISTEN|PREPARE|DEALLOCATE|SET (?!next_run))\b.*", own(log)
    )


def own(log: str) -> str:
    """What is not within a statement of ours: their first lines."""
    return "\n".join(line for line in log.splitlines() if "|LOG:" in line)


async def test_another_nodes_push_and_release_are_found(
    pooled: PostgresDatabase, open_database: Open, url: str
) -> None:
    other = await open_database(through_pooler=True)
    queue, lock = PostgresQueue(pooled), PostgresLock(pooled)
    lease = await PostgresLock(other).acquire("leader", LONG, NOW)
    assert isinstance(lease, Lease)
    popping = asyncio.create_task(queue.pop(5, LONG, NOW))
    waiting = asyncio.create_task(lock.wait_released("leader", LONG))
    async with observed(url) as observer:
        async with asyncio.timeout(5.0):
            while len(await sessions(observer, "query LIKE '%queue_messages%' OR query LIKE '%leases%'")) < 3:
                await asyncio.sleep(0.005)
    assert not popping.done()
    assert not waiting.done()
    await PostgresQueue(other).push([message()], NOW)
    await PostgresLock(other).release(lease, NOW)
    with takes_less_than(1.0):
        assert list(await popping) == [message()]
        await waiting


async def test_this_nodes_announcements_are_told(pooled: PostgresDatabase) -> None:
    queue = PostgresQueue(pooled)
    waiting = asyncio.create_task(queue.wait(LONG))
    await asyncio.sleep(0)
    await queue.announce(LATER)
    with takes_less_than(1.0):
        assert await waiting == LATER


async def test_a_waiting_for_a_release_ends_after_its_timeout(pooled: PostgresDatabase) -> None:
    lock = PostgresLock(pooled)
    await lock.acquire("leader", LONG, NOW)
    with takes_less_than(1.0):
        await lock.wait_released("leader", timedelta(seconds=0.25))


@pytest.mark.parametrize("url", ["mysql://host/name", "postgresql://h/n?secret=s3cr3t"])
async def test_an_url_that_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CRONHOOK_DATABASE_URL") as raised:
        async with PostgresDatabase.open(url):
            raise AssertionError("it was opened")
    assert "s3cr3t" not in str(raised.value)

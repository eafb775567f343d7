"""Databases and environments in which texts are not UTF-8 by themselves, and servers that only read."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import psycopg
import pytest
from attrs import evolve

from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.postgres.lock import PostgresLock
from cronhook_core.backends.postgres.queue import PostgresQueue
from cronhook_core.backends.sql.migrations import upgrade
from cronhook_core.errors import QueueUnavailable, StoreUnavailable, Unavailable
from cronhook_core.ports.job_catalog import JobFilter
from cronhook_core.ports.lock import Held, Lease
from cronhook_core.testing.builders import NOW, make_definition
from cronhook_core.testing.job_store.scene import Scene
from tests.integration.postgres.nodes import AT_ONCE, message
from tests.services import PostgresServer

pytestmark = pytest.mark.suite("integration")

NAME = "Tägliche Prüfung"
TTL = timedelta(seconds=1.5)


@contextmanager
def in_encoding(server: PostgresServer, encoding: str) -> Iterator[str]:
    name = f"in_{encoding.lower()}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        yield f"{server.url.rpartition('/')[0]}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def name_of_a_stored_job(url: str) -> str:
    async with PostgresDatabase.open(url) as database:
        store = PostgresJobStore(database)
        job = await Scene(store, PostgresAccountStore(database)).job(definition=evolve(make_definition(), name=NAME))
        found = await store.get_job(job.workspace_id, job.id)
    assert found is not None
    return found.definition.name


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "SQL_ASCII"])
async def test_texts_are_what_they_were_whatever_the_encoding(server: PostgresServer, encoding: str) -> None:
    with in_encoding(server, encoding) as url:
        upgrade(url)
        assert await name_of_a_stored_job(url) == NAME


async def test_texts_are_what_they_were_whatever_the_environment_says(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    upgrade(url)
    assert await name_of_a_stored_job(url) == NAME


async def test_a_lease_does_not_outlive_a_clock_that_was_set_back(database: PostgresDatabase) -> None:
    """As by an hour: the lease of a holder that died would be held for that hour."""
    lock = PostgresLock(database)
    assert isinstance(await lock.acquire("leader", TTL, NOW), Lease)
    assert isinstance(await lock.acquire("leader", TTL, NOW), Held)
    ahead = (
        "UPDATE leases SET granted_at = granted_at + $1::interval, expires_at = expires_at + $1::interval RETURNING 1"
    )
    await database.execute(ahead, [timedelta(seconds=1)])
    held = await lock.acquire("leader", TTL, NOW)
    assert isinstance(held, Held), "a clock may be corrected by a little"
    await database.execute(ahead, [timedelta(hours=1)])
    assert isinstance(await lock.acquire("leader", TTL, NOW), Lease)


async def test_a_lease_of_an_older_version_ends_as_it_says(database: PostgresDatabase) -> None:
    lock = PostgresLock(database)
    assert isinstance(await lock.acquire("leader", TTL, NOW), Lease)
    await database.execute("UPDATE leases SET granted_at = NULL RETURNING 1")
    assert isinstance(await lock.acquire("leader", TTL, NOW), Held)


@asynccontextmanager
async def standby() -> AsyncIterator[PostgresDatabase]:
    """Where names lead until they lead to the server that was promoted."""
    with PostgresServer() as server:
        upgrade(server.url)
        (server.folder / "data" / "standby.signal").touch()
        server.restart("fast")
        async with PostgresDatabase.open(server.url) as database:
            yield database


async def test_a_standby_is_a_store_and_a_queue_that_are_away() -> None:
    """Its tables that are not logged cannot be read there either."""
    async with standby() as database:
        queue = PostgresQueue(database)
        calls: list[tuple[Callable[[], Awaitable[object]], type[Unavailable]]] = [
            (PostgresJobStore(database).ping, StoreUnavailable),
            (lambda: queue.push([message()], NOW), QueueUnavailable),
            (lambda: queue.pop(5, AT_ONCE, NOW), QueueUnavailable),
            (queue.depth, QueueUnavailable),
        ]
        for call, error in calls:
            with pytest.raises(error):
                await call()


async def test_instants_are_read_whatever_way_the_database_writes_dates(server: PostgresServer) -> None:
    with in_encoding(server, "UTF8") as url:
        upgrade(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER DATABASE in_utf8 SET datestyle = 'SQL, DMY'")
        async with PostgresDatabase.open(url) as database:
            store = PostgresJobStore(database)
            job = await Scene(store, PostgresAccountStore(database)).job()
            assert await store.list_jobs(job.workspace_id, JobFilter(), limit=10) == [job]

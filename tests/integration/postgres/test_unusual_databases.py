"""Databases and environments in which texts are not UTF-8 by themselves, and servers that only read."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
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
from cronhook_core.errors import QueueUnavailable
from cronhook_core.ports.lock import Held, Lease
from cronhook_core.testing.builders import NOW, make_definition
from cronhook_core.testing.job_store.scene import Scene
from tests.integration.postgres.nodes import AT_ONCE, Open, message
from tests.services import PostgresServer

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


async def test_a_standby_is_a_queue_that_is_away(open_database: Open, url: str) -> None:
    """Until names lead to the server that was promoted; its tables that are not logged cannot be read there."""
    with PostgresServer() as standby:
        upgrade(standby.url)
        (standby.folder / "data" / "standby.signal").touch()
        standby.restart("fast")
        async with AsyncExitStack() as stack:
            queue = PostgresQueue(await stack.enter_async_context(PostgresDatabase.open(standby.url)))
            calls: list[Callable[[], object]] = [
                lambda: queue.push([message()], NOW),
                lambda: queue.pop(5, AT_ONCE, NOW),
                queue.depth,
            ]
            for call in calls:
                with pytest.raises(QueueUnavailable):
                    await call()  # type: ignore[misc]

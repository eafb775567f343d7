"""The suites of the stores through a real PgBouncer in transaction mode."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta

import psycopg
import pytest

from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.postgres.lock import PostgresLock
from cronhook_core.ports.lock import Held, Lease
from cronhook_core.testing.account_store_contract import AccountStoreContract, OpenAccounts
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.job_store import HoldJob, JobStoreContract, OpenStore
from tests.integration.postgres.nodes import locked
from tests.pooler.pgbouncer import POOL_SIZE, PgBouncer

pytestmark = pytest.mark.debian


def opening(url: str) -> AbstractAsyncContextManager[PostgresDatabase]:
    """With more connections than there are sessions, and with patience: what is crowded here is the pooler."""
    return PostgresDatabase.open(url, through_pooler=True, pool_size=20, answer_within=20)


@pytest.fixture
async def database(pooled_url: str) -> AsyncIterator[PostgresDatabase]:
    async with opening(pooled_url) as database:
        yield database


@pytest.fixture
def store(database: PostgresDatabase) -> PostgresJobStore:
    return PostgresJobStore(database)


@pytest.fixture
def accounts(database: PostgresDatabase) -> PostgresAccountStore:
    return PostgresAccountStore(database)


@pytest.fixture
def open_store(pooled_url: str, closing: AsyncExitStack) -> OpenStore:
    async def opened() -> PostgresJobStore:
        return PostgresJobStore(await closing.enter_async_context(opening(pooled_url)))

    return opened


@pytest.fixture
def hold_job(direct_url: str) -> HoldJob:
    return lambda job: locked(direct_url, f"SELECT FROM jobs WHERE id = '{job.id}' FOR UPDATE")


@pytest.fixture
def open_accounts(pooled_url: str, closing: AsyncExitStack) -> OpenAccounts:
    async def opened() -> PostgresAccountStore:
        return PostgresAccountStore(await closing.enter_async_context(opening(pooled_url)))

    return opened


class TestJobStoreThroughPooler(JobStoreContract):
    pass


class TestAccountStoreThroughPooler(AccountStoreContract):
    pass


async def test_clients_share_few_sessions(pooler: PgBouncer, pooled_url: str, open_store: OpenStore) -> None:
    """What goes through the pooler goes through it in transaction mode."""
    stores = [await open_store() for _ in range(2 * POOL_SIZE)]
    for _ in range(3):
        await asyncio.gather(*(store.zone_rules() for store in stores))
    assert pooler.transactions(pooled_url) >= 6 * POOL_SIZE
    with psycopg.connect(pooled_url) as connection:
        [(sessions,)] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchall()
    assert 1 <= sessions <= POOL_SIZE


async def test_the_lock_is_held_by_its_row_alone(database: PostgresDatabase) -> None:
    """An advisory lock would stay with whichever session of the pool took it."""
    lock, ttl = PostgresLock(database), timedelta(minutes=1)
    lease = await lock.acquire("scheduler", ttl, NOW)
    assert isinstance(lease, Lease)
    assert isinstance(await lock.acquire("scheduler", ttl, NOW), Held)
    assert await lock.renew(lease, ttl, NOW)
    await lock.release(lease, NOW)
    assert isinstance(await lock.acquire("scheduler", ttl, NOW), Lease)

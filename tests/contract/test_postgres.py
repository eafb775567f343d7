"""All contract suites on a real Postgres, as two nodes see it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.clock import PostgresClock
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.postgres.lock import PostgresLock
from cronhook_core.backends.postgres.queue import PostgresQueue
from cronhook_core.testing.account_store_contract import AccountStoreContract, OpenAccounts
from cronhook_core.testing.clock_contract import ClockContract
from cronhook_core.testing.elapsing import Elapse
from cronhook_core.testing.job_store import HoldJob, JobStoreContract, OpenStore
from cronhook_core.testing.lock_contract import LockContract
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.queue_contract import QueueContract
from tests.integration.postgres.nodes import locked
from tests.open_rows import assert_what_is_open_is_listed


@pytest.fixture(autouse=True)
def what_is_open_is_listed(postgres_url: str) -> Iterator[None]:
    yield
    with psycopg.connect(postgres_url) as connection:
        assert_what_is_open_is_listed(lambda query: connection.execute(query).fetchall())


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def database(postgres_url: str, closing: AsyncExitStack) -> PostgresDatabase:
    return await closing.enter_async_context(PostgresDatabase.open(postgres_url))


@pytest.fixture
async def other_database(postgres_url: str, closing: AsyncExitStack) -> PostgresDatabase:
    return await closing.enter_async_context(PostgresDatabase.open(postgres_url))


@pytest.fixture
def store(database: PostgresDatabase) -> PostgresJobStore:
    return PostgresJobStore(database)


@pytest.fixture
def accounts(database: PostgresDatabase) -> PostgresAccountStore:
    return PostgresAccountStore(database)


@pytest.fixture
def open_store(postgres_url: str, closing: AsyncExitStack) -> OpenStore:
    async def opened() -> PostgresJobStore:
        return PostgresJobStore(await closing.enter_async_context(PostgresDatabase.open(postgres_url)))

    return opened


@pytest.fixture
def hold_job(postgres_url: str) -> HoldJob:
    return lambda job: locked(postgres_url, f"SELECT FROM jobs WHERE id = '{job.id}' FOR UPDATE")


@pytest.fixture
def open_accounts(postgres_url: str, closing: AsyncExitStack) -> OpenAccounts:
    async def opened() -> PostgresAccountStore:
        return PostgresAccountStore(await closing.enter_async_context(PostgresDatabase.open(postgres_url)))

    return opened


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def elapse() -> Elapse:
    return asyncio.sleep


class TestPostgresJobStore(JobStoreContract):
    pass


class TestPostgresAccountStore(AccountStoreContract):
    pass


class TestPostgresQueue(QueueContract):
    small_bound = 10
    propagation = 0.3

    @pytest.fixture
    def queue(self, database: PostgresDatabase) -> PostgresQueue:
        return PostgresQueue(database)

    @pytest.fixture
    def other_queue(self, other_database: PostgresDatabase) -> PostgresQueue:
        return PostgresQueue(other_database)

    @pytest.fixture
    def small_queue(self, database: PostgresDatabase) -> PostgresQueue:
        return PostgresQueue(database, bound=10)


class TestPostgresLock(LockContract):
    time_resolution = timedelta(milliseconds=20)

    @pytest.fixture
    def lock(self, database: PostgresDatabase) -> PostgresLock:
        return PostgresLock(database)

    @pytest.fixture
    def other_lock(self, other_database: PostgresDatabase) -> PostgresLock:
        return PostgresLock(other_database)


class TestPostgresClock(ClockContract):
    """Nodes whose own clocks are an hour apart follow one database."""

    agreement = 0.05

    @pytest.fixture
    async def clock(self, database: PostgresDatabase) -> PostgresClock:
        clock = PostgresClock(database)
        await clock.sync()
        return clock

    @pytest.fixture
    async def other_clock(self, other_database: PostgresDatabase) -> PostgresClock:
        wrong = ManualClock(datetime.now(UTC))
        wrong.step(3600)
        clock = PostgresClock(other_database, wrong)
        await clock.sync()
        return clock

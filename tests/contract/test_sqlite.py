"""The contract suites on a SQLite file; what the file alone promises is in `tests/integration/sqlite`."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing, nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.sql.migrations import upgrade
from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore, SqliteLock
from cronhook_core.testing.account_store_contract import AccountStoreContract, OpenAccounts
from cronhook_core.testing.elapsing import Elapse
from cronhook_core.testing.job_store import HoldJob, JobStoreContract, OpenStore
from cronhook_core.testing.lock_contract import LockContract
from tests.open_rows import assert_what_is_open_is_listed


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables and no rows, which each test gets a copy of."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def path(migrated: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated, tmp_path / "cronhook.db"))


@pytest.fixture(autouse=True)
def what_is_open_is_listed(path: Path) -> Iterator[None]:
    yield
    with closing(sqlite3.connect(path)) as connection:
        assert_what_is_open_is_listed(lambda query: connection.execute(query).fetchall())


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase.open(path) as database:
        yield database


@pytest.fixture
def store(database: SqliteDatabase) -> SqliteJobStore:
    return SqliteJobStore(database)


@pytest.fixture
def accounts(database: SqliteDatabase) -> SqliteAccountStore:
    return SqliteAccountStore(database)


@pytest.fixture
async def others(database: SqliteDatabase) -> AsyncIterator[AsyncExitStack]:
    """Holds what a test opens beside its own database, and closes it first."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def open_store(path: Path, others: AsyncExitStack) -> OpenStore:
    async def opened() -> SqliteJobStore:
        return SqliteJobStore(await others.enter_async_context(SqliteDatabase.open(path)))

    return opened


@pytest.fixture
def open_accounts(path: Path, others: AsyncExitStack) -> OpenAccounts:
    async def opened() -> SqliteAccountStore:
        return SqliteAccountStore(await others.enter_async_context(SqliteDatabase.open(path)))

    return opened


@pytest.fixture
def hold_job() -> HoldJob:
    return lambda job: nullcontext()


class TestSqliteJobStore(JobStoreContract):
    pass


class TestSqliteAccountStore(AccountStoreContract):
    pass


class TestSqliteLock(LockContract):
    ttl = timedelta(seconds=0.3)

    @pytest.fixture
    def clock(self) -> SystemClock:
        return SystemClock()

    @pytest.fixture
    def elapse(self) -> Elapse:
        return asyncio.sleep

    @pytest.fixture
    def lock(self, database: SqliteDatabase, clock: SystemClock) -> SqliteLock:
        return SqliteLock(database, clock)

    @pytest.fixture
    async def other_lock(self, path: Path, others: AsyncExitStack, clock: SystemClock) -> SqliteLock:
        return SqliteLock(await others.enter_async_context(SqliteDatabase.open(path)), clock)

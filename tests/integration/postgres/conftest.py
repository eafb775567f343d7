from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.testing.job_store.scene import Scene
from tests.databases import Databases
from tests.integration.postgres.nodes import Open
from tests.services import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of the module's own: its tests stop it, suspend it, and read its log."""
    settings = {"deadlock_timeout": "50ms", "log_line_prefix": "%d|", "max_connections": "40"}
    with PostgresServer(settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def databases(server: PostgresServer) -> Iterator[Databases]:
    databases = Databases(server.url)
    yield databases
    databases.close()


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    with databases.fresh() as url:
        yield url


@pytest.fixture
async def open_database(url: str) -> AsyncIterator[Open]:
    """Opens the test's database once more, as another process would; the test's end closes it."""
    async with AsyncExitStack() as stack:

        async def opened(at: str = url, **options: object) -> PostgresDatabase:
            return await stack.enter_async_context(PostgresDatabase.open(at, **options))

        yield opened


@pytest.fixture
async def database(open_database: Open) -> PostgresDatabase:
    return await open_database()


@pytest.fixture
def store(database: PostgresDatabase) -> PostgresJobStore:
    return PostgresJobStore(database)


@pytest.fixture
def scene(store: PostgresJobStore, database: PostgresDatabase) -> Scene:
    return Scene(store, PostgresAccountStore(database))

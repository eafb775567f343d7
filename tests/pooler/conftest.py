from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.databases import Databases
from tests.pooler.pgbouncer import PgBouncer
from tests.services import PostgresServer


@pytest.fixture(scope="package")
def server() -> Iterator[PostgresServer]:
    """With timeouts, as the documents ask for behind a pooler, but such as a busy machine does not reach."""
    settings = {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "30s",
        "deadlock_timeout": "50ms",
    }
    with PostgresServer(settings=settings) as running:
        yield running


@pytest.fixture(scope="package")
def pooler(server: PostgresServer) -> Iterator[PgBouncer]:
    with PgBouncer(server.url) as running:
        yield running


@pytest.fixture(scope="package")
def databases(server: PostgresServer) -> Iterator[Databases]:
    databases = Databases(server.url)
    yield databases
    databases.close()


@pytest.fixture
def direct_url(databases: Databases) -> Iterator[str]:
    """A database of the test's own, past the pooler."""
    with databases.fresh() as url:
        yield url


@pytest.fixture
def pooled_url(pooler: PgBouncer, direct_url: str) -> str:
    """The same, through the pooler."""
    return pooler.url_for(direct_url)


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack

"""Fixtures that every folder of tests may use. Servers start when the first test asks for one."""

import os
from collections.abc import Iterator

import attrs
import pytest
import redis

from tests.canaries import DATABASE_PASSWORD, REDIS_PASSWORD, with_password
from tests.databases import Databases
from tests.receiver import Receiver
from tests.services import PostgresServer, ValkeyServer, hear_signals

pytest_plugins = ["tests.canary_plugin", "tests.suites"]
pytest.register_assert_rewrite("cronhook_core.testing")


@attrs.frozen
class RunningServer:
    """A server that all tests share. A test that stops or kills one makes its own from `tests.services`."""

    url: str


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backends",
        choices=("wheels", "containers"),
        default="wheels",
        help="where Postgres and Redis come from, unless CRONHOOK_TEST_POSTGRES_URL or CRONHOOK_TEST_REDIS_URL "
        "names one (its Redis database is emptied by the tests)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The settings of whoever runs the tests are not those of the tests."""
    for name in list(os.environ):
        if name.startswith("CRONHOOK_") and not name.startswith("CRONHOOK_TEST_"):
            del os.environ[name]
    hear_signals()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[RunningServer]:
    if url := os.environ.get("CRONHOOK_TEST_POSTGRES_URL"):
        yield RunningServer(url)
    elif pytestconfig.getoption("--backends") == "containers":
        from tests.containers import postgres_container

        with postgres_container() as url:
            yield RunningServer(url)
    else:
        with PostgresServer() as server:
            yield RunningServer(with_password(server.url, "postgres", DATABASE_PASSWORD))


@pytest.fixture(scope="session")
def redis_server(pytestconfig: pytest.Config) -> Iterator[RunningServer]:
    if url := os.environ.get("CRONHOOK_TEST_REDIS_URL"):
        yield RunningServer(url)
    elif pytestconfig.getoption("--backends") == "containers":
        from tests.containers import redis_container

        with redis_container() as url:
            yield RunningServer(url)
    else:
        with ValkeyServer() as server:
            yield RunningServer(with_password(server.url, "default", REDIS_PASSWORD))


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: RunningServer) -> Iterator[Databases]:
    databases = Databases(postgres_server.url)
    yield databases
    databases.close()


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """A database of the test's own, with all tables and no rows."""
    with postgres_databases.fresh() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: RunningServer) -> str:
    """An empty database."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushdb()
    return redis_server.url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running

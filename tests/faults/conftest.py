from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.faults.audit import audit_postgres
from tests.faults.installation import Installation
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.services import PostgresServer, ValkeyServer


@pytest.fixture
def full(pytestconfig: pytest.Config) -> bool:
    """Whether every fault is to happen as often and as long as the catalogue says (`--full`)."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture(scope="package")
def own_postgres() -> Iterator[PostgresServer]:
    """A server that these tests may stop."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="package")
def own_valkey() -> Iterator[ValkeyServer]:
    """A server that these tests may kill."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture(scope="package")
def own_databases(own_postgres: PostgresServer) -> Iterator[Databases]:
    databases = Databases(own_postgres.url)
    yield databases
    databases.close()


@pytest.fixture
def installation(
    own_postgres: PostgresServer, own_valkey: ValkeyServer, own_databases: Databases
) -> Iterator[Installation]:
    """On an empty database with its changes written down, and a Redis of which it uses a part of its own."""
    own_postgres.start()
    own_valkey.start()
    with own_databases.fresh() as url:
        audit_postgres(url)
        prefix = url.rpartition("/")[2]
        with Installation(url, own_valkey.url, CRONHOOK_REDIS_PREFIX=prefix) as running:
            yield running


@pytest.fixture
def scripted_receiver() -> Iterator[ScriptedReceiver]:
    with ScriptedReceiver(hosts=("127.0.0.1", "127.0.0.2")) as running:
        yield running

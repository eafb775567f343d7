import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.databases import Databases
from tests.debian_packages import Unpacked, unpacked
from tests.faults.installation import Installation
from tests.integration.prometheus.prometheus_server import DEPLOYED
from tests.services import ValkeyServer

Promtool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def debian() -> Unpacked:
    return unpacked("prometheus")


@pytest.fixture
def promtool(debian: Unpacked) -> Promtool:
    """Runs it where the shipped files are."""

    def run(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [debian.program("promtool"), *arguments],
            cwd=DEPLOYED,
            env=dict(debian.environment),
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A server that the test may kill."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def installation(postgres_databases: Databases, own_valkey: ValkeyServer) -> Iterator[Installation]:
    with postgres_databases.fresh() as url, Installation(url, own_valkey.url) as running:
        yield running

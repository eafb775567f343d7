"""Both clients against the real server."""

from collections.abc import AsyncIterator, Iterator

import pytest

from cronhook_client import AsyncCronhook, Cronhook
from tests.integration.client.running_server import RunningServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("client")) as running:
        yield running


@pytest.fixture
def key(server: RunningServer, request: pytest.FixtureRequest) -> str:
    """A key with all scopes of a workspace of the test's own."""
    return server.new_key(request.node.name)


@pytest.fixture
def client(server: RunningServer, key: str) -> Iterator[Cronhook]:
    with Cronhook(key, base_url=server.url) as client:
        yield client


@pytest.fixture
async def async_client(server: RunningServer, key: str) -> AsyncIterator[AsyncCronhook]:
    async with AsyncCronhook(key, base_url=server.url) as client:
        yield client

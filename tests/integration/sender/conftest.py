"""Every asynchronous test of this folder runs on the loop of the standard library and on uvloop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import pytest_asyncio
import uvloop

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.addresses import AllowedTargets
from tests.integration.sender.connections import Connects
from tests.integration.sender.hostile import hostile_process
from tests.integration.sender.stub_resolver import StubResolver


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def hostile_ports() -> Iterator[Mapping[str, int]]:
    with hostile_process() as ports:
        yield ports


@pytest.fixture
def names() -> StubResolver:
    return StubResolver()


@pytest_asyncio.fixture
async def sender(names: StubResolver, caplog: pytest.LogCaptureFixture) -> AsyncIterator[AiohttpSender]:
    """May call the loopback; whatever a test does to it, nothing is logged as an error and no exception gets lost."""
    lost: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    async with AiohttpSender(AllowedTargets.parse("127.0.0.0/8, ::1"), resolver=names) as entered:
        yield entered
    assert lost == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest_asyncio.fixture
async def connects() -> Connects:
    return Connects(asyncio.get_running_loop())

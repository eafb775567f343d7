"""Fixtures for pytest, in every program that has cronhook installed. ``-p no:cronhook`` leaves them out.

Nothing but pytest is loaded before a test asks for one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cronhook_server.testing import AsyncInProcessServer, InProcessServer, SignedRequest


@pytest.fixture
def cronhook_start() -> datetime | None:
    """The instant at which servers begin. Override it to begin at one of your own; None: now."""
    return None


@pytest.fixture
def cronhook_server(cronhook_start: datetime | None) -> Iterator[InProcessServer]:
    """A whole cronhook in this process: `InProcessServer`, for tests without coroutines."""
    from cronhook_server.testing import InProcessServer

    with InProcessServer(start=cronhook_start) as server:
        yield server


@pytest.fixture
def cronhook_async_server(cronhook_start: datetime | None) -> AsyncInProcessServer:
    """A whole cronhook in the test's own event loop: `AsyncInProcessServer`."""
    from cronhook_server.testing import AsyncInProcessServer

    return AsyncInProcessServer(start=cronhook_start)


@pytest.fixture
def cronhook_signing_secret() -> str:
    """What in-process servers sign with, and `cronhook_signed_request`: give it to your application."""
    from cronhook_server.testing import SIGNING_SECRET

    return SIGNING_SECRET


@pytest.fixture
def cronhook_signed_request() -> Callable[..., SignedRequest]:
    """`cronhook_server.testing.signed_request`: makes a request as cronhook sends it."""
    from cronhook_server.testing import signed_request

    return signed_request

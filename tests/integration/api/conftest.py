"""The API in this process, over each store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx
import pytest
from attrs import evolve, frozen
from litestar import Litestar

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.backends.memory.rate_limiter import MemoryRateLimiter
from cronhook_core.domain.api_key import Scope
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.checks import Probe
from cronhook_server.composition import Backends, open_backends
from cronhook_server.key_service import KeyService
from cronhook_server.services import Services
from cronhook_server.settings import Settings
from tests.canaries import SECRET_KEY

RANDOM = SystemRandom()


@frozen(kw_only=True)
class Api:
    """``http`` sends the key of a workspace of its own; ``another`` is the same API for another caller."""

    http: httpx.AsyncClient
    services: Services
    backends: Backends
    keys: KeyService
    workspace_id: str
    key_id: str

    @property
    def application(self) -> Litestar:
        """The application itself, within whatever is around it."""
        app: Any = self.http._transport.app  # type: ignore[attr-defined]
        while not isinstance(app, Litestar):
            app = app._app
        return app

    @asynccontextmanager
    async def another(self, workspace: str = "default", *scopes: Scope) -> AsyncIterator["Api"]:
        found = await self.keys.workspace(workspace)
        key, text = await self.keys.create(found.id, name="another", scopes=scopes or tuple(Scope))
        async with self.sending({"x-api-key": text}) as http:
            yield evolve(self, http=http, workspace_id=found.id, key_id=key.id)

    @asynccontextmanager
    async def sending(self, headers: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(transport=self.http._transport, base_url="http://api", headers=headers) as http:
            yield http


@asynccontextmanager
async def memory_backends() -> AsyncIterator[Backends]:
    database, clock = MemoryDatabase(), SystemClock()
    store = MemoryJobStore(database)
    yield Backends(
        store=store,
        accounts=MemoryAccountStore(database),
        queue=MemoryQueue(clock),
        lock=MemoryLock(clock),
        clock=clock,
        rate_limiter=MemoryRateLimiter(clock),
        probes=(Probe(name="database", check=store.ping, vital=True),),
    )


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def backends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backends]:
    if request.param == "memory":
        opened = memory_backends()
    elif request.param == "sqlite":
        opened = open_backends(Settings(database_url=f"sqlite:///{tmp_path / 'cronhook.db'}"), RANDOM)
    else:
        opened = open_backends(Settings(database_url=request.getfixturevalue("postgres_url")), RANDOM)
    async with opened as backends:
        yield backends


@pytest.fixture
async def api(backends: Backends) -> AsyncIterator[Api]:
    settings = Settings(cpu_percent_per_key=100, requests_per_second_per_key=0)  # the machine may have much else to do
    async with api_over(backends, settings) as api:
        yield api


@asynccontextmanager
async def api_over(backends: Backends, settings: Settings) -> AsyncIterator[Api]:
    assembly = Assembly(backends, settings, secret_key=SECRET_KEY, hooks=NoHooks(), random=RANDOM)
    keys = assembly.keys()
    workspace = await keys.workspace("default")
    key, text = await keys.create(workspace.id, name="tests", scopes=tuple(Scope))
    services = assembly.services()
    app: Any = create_app(services)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api", headers={"x-api-key": text}
    ) as http:
        yield Api(http=http, services=services, backends=backends, keys=keys, workspace_id=workspace.id, key_id=key.id)


def job_body(**fields: Any) -> dict[str, Any]:
    return {"name": "report", "cron": "0 9 * * *", "callback_url": "https://example.com/hook"} | fields


def instant(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import evolve

from cronhook_core.backends.sql import migrations
from cronhook_core.errors import QueueUnavailable, StoreUnavailable
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_server import checks
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.checks import Probe
from cronhook_server.composition import Backends, open_backends
from cronhook_server.settings import Settings
from tests.canaries import SECRET_KEY
from tests.integration.api.conftest import RANDOM, memory_backends

SECRET = "connection to 10.0.0.5 with hunter2 failed"


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    async with memory_backends() as backends:
        yield backends


async def answers() -> None: ...


async def database_away() -> None:
    raise StoreUnavailable(SECRET)


async def redis_away() -> None:
    raise QueueUnavailable(SECRET)


async def never_ends() -> None:
    raise TimeoutError(SECRET)


@pytest.mark.parametrize(
    ("database", "redis", "health", "ready", "ready_status"),
    [
        (answers, answers, 200, 200, "ok"),
        (answers, redis_away, 500, 200, "degraded"),
        (database_away, answers, 500, 503, "failing"),
        (never_ends, redis_away, 500, 503, "failing"),
    ],
)
async def test_what_probes_are_told(
    backends: Backends,
    database: Callable[[], Awaitable[None]],
    redis: Callable[[], Awaitable[None]],
    health: int,
    ready: int,
    ready_status: str,
) -> None:
    probes = (
        Probe(name="database", check=database, vital=True),
        Probe(name="redis", check=redis, vital=False),
    )
    assembly = Assembly(
        evolve(backends, probes=probes), Settings(), secret_key=SECRET_KEY, hooks=NoHooks(), random=RANDOM
    )
    app: Any = create_app(assembly.services())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        answered, readiness, live = [await http.get(path) for path in ("/health", "/readyz", "/livez")]
        heads = [await http.head(path) for path in ("/health", "/readyz", "/livez")]
    assert [head.status_code for head in heads] == [health, ready, 200]
    assert answered.status_code == health
    assert answered.json()["status"] == ("ok" if health == 200 else "failing")
    assert [check["name"] for check in answered.json()["checks"]] == ["database", "redis"]
    assert all(check["latency_ms"] >= 0 for check in answered.json()["checks"])
    assert (readiness.status_code, readiness.json()["status"]) == (ready, ready_status)
    assert (live.status_code, live.json()) == (200, {"status": "ok", "checks": []})
    assert "10.0.0.5" not in answered.text + readiness.text


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_a_schema_that_is_gone_is_not_ready(
    store: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "FRESH_FOR_SECONDS", 0.0)
    on_sqlite = f"sqlite:///{tmp_path / 'cronhook.db'}"
    settings = Settings(database_url=on_sqlite if store == "sqlite" else request.getfixturevalue("postgres_url"))
    async with open_backends(settings, RANDOM) as backends:
        assembly = Assembly(backends, settings, secret_key=SECRET_KEY, hooks=NoHooks(), random=RANDOM)
        app: Any = create_app(assembly.services())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "ok")
            assert [check["name"] for check in ready.json()["checks"]] == ["database", "schema"]
            monkeypatch.setattr(migrations, "VERSION_TABLE", "emptied")
            ready, health = await http.get("/readyz"), await http.get("/health")
    assert (ready.status_code, ready.json()["status"]) == (503, "failing")
    assert [check["status"] for check in ready.json()["checks"]] == ["ok", "failing"]
    assert (health.status_code, [check["name"] for check in health.json()["checks"]]) == (200, ["database"])

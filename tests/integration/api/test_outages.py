"""The database stops: every route says so at once, nothing hangs, and all is well by itself when it is back."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cronhook_core.backends.sql.migrations import upgrade
from cronhook_core.domain.api_key import Scope
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_server import under_way
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.composition import Backends, open_backends
from cronhook_server.openapi.document import document
from cronhook_server.settings import Settings
from tests.integration.api.conftest import RANDOM, SECRET_KEY, job_body
from tests.services import PostgresServer

pytestmark = pytest.mark.suite("integration")

NO_ANSWER_SECONDS = 40.0
"""Far above the server's own time limits, and what a loaded machine adds to them: beyond it a request hangs."""
BACK_SECONDS = 30.0
DOCUMENTS = {"/openapi.json": 200, "/docs": 200, "/docs/errors": 200}
WITHOUT_WRITING = {
    "/v1/schedules/preview": 200,
    "/v1/jobs/{job_id}/resume": 200,
    "/v1/executions/{execution_id}/replay": 409,
    "/health": 500,
    "/readyz": 503,
}
"""Of what is no GET, these find that there is nothing to change, or that it must not be, before they write."""
WITHOUT_DATABASE = {"/livez": 200, "/metrics": 200, "/health": 500, "/readyz": 503, **DOCUMENTS}


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with open_backends(settings, RANDOM) as backends, serving_on(backends) as http:
        yield http


@asynccontextmanager
async def serving_on(backends: Backends) -> AsyncIterator[httpx.AsyncClient]:
    assembly = Assembly(backends, Settings(), secret_key=SECRET_KEY, hooks=NoHooks(), random=RANDOM)
    keys = assembly.keys()
    workspace = await keys.workspace("default")
    _, text = await keys.create(workspace.id, name="tests", scopes=tuple(Scope))
    app: Any = create_app(assembly.services())
    transport, headers = httpx.ASGITransport(app), {"x-api-key": text}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        yield http


async def ask_all(http: httpx.AsyncClient, ids: dict[str, str]) -> dict[tuple[str, str], httpx.Response]:
    """Every operation of the document at once, with a body that it would take."""

    async def ask(method: str, path: str, operation: dict[str, Any]) -> httpx.Response:
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples")
        value = next(iter(body.values()))["value"] if body else None
        return await http.request(method, path.format(**ids), json=value)

    operations = {
        (method.upper(), path): ask(method.upper(), path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }
    async with asyncio.timeout(NO_ANSWER_SECONDS):
        return dict(zip(operations, await asyncio.gather(*operations.values()), strict=True))


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """The server and its sessions stand still: what is sent to them arrives, and nothing comes back."""
    processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(BACK_SECONDS):
        while not await holds():
            await asyncio.sleep(0.05)


def check_unavailable(answered: httpx.Response) -> None:
    assert (answered.status_code, answered.json().get("code")) == (503, "unavailable"), answered.url
    assert int(answered.headers["retry-after"]) >= 1
    assert answered.headers["content-type"] == "application/problem+json"


async def test_postgres_stops_and_comes_back() -> None:
    with PostgresServer() as server:
        await asyncio.to_thread(upgrade, server.url)
        async with serving(Settings(database_url=server.url)) as http:
            job = (await http.post("/v1/jobs", json=job_body())).json()
            run = (await http.post(f"/v1/jobs/{job['id']}/run")).json()
            key = (await http.get("/v1/keys")).json()["data"][0]
            ids = {"job_id": job["id"], "execution_id": run["id"], "key_id": key["id"]}
            await asyncio.to_thread(server.stop)

            async def key_is_forgotten() -> bool:
                return (await http.post("/v1/schedules/preview", json={"cron": "* * * * *"})).status_code == 503

            await until(key_is_forgotten)  # a preview asks the database for nothing but the key
            for (method, path), answered in (await ask_all(http, ids)).items():
                if path in WITHOUT_DATABASE:
                    assert answered.status_code == WITHOUT_DATABASE[path], (method, path)
                else:
                    check_unavailable(answered)
            assert str(server.port) not in (await http.get("/health")).text

            await asyncio.to_thread(server.start)

            async def back() -> bool:
                return (await http.get("/health")).status_code == 200

            await until(back)
            assert (await http.get(f"/v1/jobs/{job['id']}")).json()["status"] == "active"
            assert (await http.post("/v1/jobs", json=job_body())).status_code == 201


async def test_postgres_accepts_and_never_answers() -> None:
    with PostgresServer() as server:
        await asyncio.to_thread(upgrade, server.url)
        async with serving(Settings(database_url=server.url)) as http:
            await http.post("/v1/jobs", json=job_body())
            with frozen(server):
                async with asyncio.timeout(NO_ANSWER_SECONDS):
                    asked = [http.get("/v1/jobs"), http.post("/v1/jobs", json=job_body()), http.get("/health")]
                    listed, stored, health = await asyncio.gather(*asked)
            check_unavailable(listed)
            check_unavailable(stored)
            assert health.status_code == 500

            async def back() -> bool:
                return (await http.get("/v1/jobs")).status_code == 200

            await until(back)


async def test_the_disk_under_sqlite_is_full(tmp_path: Path) -> None:
    """Reads go on, what needs room says so, and all is well by itself once there is room."""
    async with open_backends(Settings(database_url=f"sqlite:///{tmp_path / 'cronhook.db'}"), RANDOM) as backends:
        database = backends.store._database  # type: ignore[attr-defined]
        async with serving_on(backends) as http:
            job = (await http.post("/v1/jobs", json=job_body())).json()
            large = job_body(payload="x" * 100_000)
            pages = await database.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
            await database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}").close())
            check_unavailable(await http.post("/v1/jobs", json=large))
            assert (await http.get(f"/v1/jobs/{job['id']}")).json()["status"] == "active"
            await database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000").close())
            assert (await http.post("/v1/jobs", json=large)).status_code == 201


async def test_sqlite_held_by_another_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file never goes away as a server does; what takes its place is a writer that does not end."""
    monkeypatch.setattr("cronhook_core.backends.sql.engines.BUSY_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(under_way, "WAIT_SECONDS", 0.3)
    path = tmp_path / "cronhook.db"
    async with serving(Settings(database_url=f"sqlite:///{path}")) as http:
        job = (await http.post("/v1/jobs", json=job_body())).json()
        run = (await http.post(f"/v1/jobs/{job['id']}/run")).json()
        key = (await http.get("/v1/keys")).json()["data"][0]
        ids = {"job_id": job["id"], "execution_id": run["id"], "key_id": key["id"]}
        job = (await http.get(f"/v1/jobs/{job['id']}")).json()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with asyncio.timeout(NO_ANSWER_SECONDS):
                for (method, path), answered in (await ask_all(http, ids)).items():
                    if method == "GET" or path in WITHOUT_WRITING:
                        assert answered.status_code == WITHOUT_WRITING.get(path, 200), (method, path)
                    else:
                        check_unavailable(answered)
                maybe_repeated = await http.post("/v1/jobs", json=job_body(), headers={"idempotency-key": "k"})
                assert (maybe_repeated.status_code, maybe_repeated.json()["code"]) == (409, "idempotency_in_progress")
                assert (await http.get(f"/v1/jobs/{job['id']}")).json() == json.loads(json.dumps(job))
            other.execute("ROLLBACK")
        assert (await http.post("/v1/jobs", json=job_body())).status_code == 201

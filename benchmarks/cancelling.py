"""A job with as many queued executions as users may queue of it is deleted, or its receiver answers 410."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from benchmarks.reporting import Row, over_runs, progress
from benchmarks.sizes import Sizes
from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.sql.migrations import upgrade
from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore
from cronhook_core.domain.claim import Claim
from cronhook_core.domain.job import Job
from cronhook_core.testing.builders import NOW, gone, make_execution
from cronhook_core.testing.job_store.scene import LATER, Scene
from cronhook_server.process import run
from tests.many_queued import MANY, queue_many
from tests.services import PostgresServer


@frozen
class _Store:
    name: str
    scene: Scene
    database: PostgresDatabase | SqliteDatabase


def run_cancelling(sizes: Sizes) -> list[Row]:
    with PostgresServer() as server, TemporaryDirectory() as folder:
        upgrade(server.url)
        return run(_measured(server.url, Path(folder) / "cronhook.db", sizes.runs))


async def _measured(url: str, path: Path, runs: int) -> list[Row]:
    rows: list[Row] = []
    async with _stores(url, path) as stores:
        for store in stores:
            for name, act in ACTS.items():
                progress(f"{MANY:,} queued executions on {store.name}: {name}")
                words = {"on": store.name, "act": name}
                rows += over_runs([words | await _one_run(n, store, act) for n in range(1, runs + 1)])
    return rows


async def _one_run(number: int, store: _Store, act: "Act") -> dict[str, str | float]:
    job = await store.scene.job()
    claim = await store.scene.running(job)
    first = make_execution(job)
    await store.scene.store.add_execution(first, now=NOW)
    await store.database.write(queue_many, first.id)
    began = time.perf_counter()
    await act(store.scene, job, claim)
    return {"run": str(number), "ms": (time.perf_counter() - began) * 1e3}


async def _delete(scene: Scene, job: Job, _: Claim) -> None:
    await scene.delete(job)


async def _pause(scene: Scene, job: Job, _: Claim) -> None:
    await scene.pause(job)


async def _gone(scene: Scene, _: Job, claim: Claim) -> None:
    await scene.store.finish([gone(claim, LATER)], LATER)


Act = Callable[[Scene, Job, Claim], Awaitable[None]]
ACTS: dict[str, Act] = {"delete": _delete, "pause": _pause, "410": _gone}


@asynccontextmanager
async def _stores(url: str, path: Path) -> AsyncIterator[list[_Store]]:
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(SqliteDatabase.open(path))
        server = await stack.enter_async_context(PostgresDatabase.open(url))
        yield [
            _Store("sqlite", Scene(SqliteJobStore(file), SqliteAccountStore(file)), file),
            _Store("postgres", Scene(PostgresJobStore(server), PostgresAccountStore(server)), server),
        ]

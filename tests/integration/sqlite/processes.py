"""Processes of their own that use one SQLite file; each runs one of the programs at the end of this module."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random

from cronhook_core.backends.sql.engines import sqlite_engine
from cronhook_core.backends.sqlite import SqliteDatabase, SqliteJobStore
from cronhook_core.domain.ids import new_id
from cronhook_core.domain.job import Job
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import NOW, make_job, make_plan, succeeded

READY = "ready"
BEGUN = "begun"
PLANNERS = 4


@asynccontextmanager
async def program(name: str, *arguments: str) -> AsyncIterator[Process]:
    """A process that waits for `start`; it is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, name, *arguments, stdin=PIPE, stdout=PIPE)
    try:
        assert await next_line(process) == READY
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        assert process.stdin is not None
        process.stdin.close()


def start(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")


async def next_line(process: Process) -> str:
    """What the process says next; empty once it has ended."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def all_lines(process: Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.read()).decode().split()


async def plan_all(path: str, until: str) -> None:
    """Several schedulers, each sure that it leads; says the id of every execution that it queued.

    Once it has queued something it waits to be told to go on.
    """
    async with AsyncExitStack() as stack:
        files = [await stack.enter_async_context(SqliteDatabase.open(path, migrate=False)) for _ in range(PLANNERS)]
        await _told_to_start()
        begun = asyncio.Event()
        plans = [_plan(SqliteJobStore(f), datetime.fromisoformat(until), begun) for f in files]
        planned = await asyncio.gather(*plans)
    for execution_id in (identifier for identifiers in planned for identifier in identifiers):
        _say(execution_id)


async def _plan(store: JobStore, now: datetime, begun: asyncio.Event) -> list[str]:
    queued: list[str] = []
    while due := await store.due_jobs(now, 7):
        queued += await store.plan([make_plan(job) for job in due], now)
        if queued and not begun.is_set():
            begun.set()
            _say(BEGUN)
            sys.stdin.readline()  # nobody in this process goes on meanwhile
    return queued


async def work_for_ever(path: str, workspace_id: str, seed: str) -> None:
    """Creates jobs and runs them; says the id of each job once `create_job` has returned, and of each finished run."""
    async with SqliteDatabase.open(path, migrate=False) as database:
        store, random = SqliteJobStore(database), Random(int(seed))
        worker_id = new_id("wrk", NOW, random)
        await store.register_worker(worker_id, NOW)
        await _told_to_start()
        while True:
            job = make_job(workspace_id, id=new_id("job", NOW, random), payload=b'"' + b"x" * 20_000 + b'"')
            await _create_and_run(store, job, worker_id)


async def _create_and_run(store: JobStore, job: Job, worker_id: str) -> None:
    await store.create_job(job, max_jobs=None, now=NOW)
    _say(job.id)
    plan = make_plan(job)
    queued = await store.plan([plan], plan.expected_next_run)
    [claim] = await store.claim(queued, worker_id=worker_id, now=plan.expected_next_run)
    [verdict] = await store.finish([succeeded(claim)], plan.expected_next_run)
    assert verdict.accepted
    _say(claim.execution_id)


async def open_fresh(path: str) -> None:
    """Opens a file that nobody made yet."""
    await _told_to_start()
    async with SqliteDatabase.open(path) as database:
        await SqliteJobStore(database).ping()


async def make_files(folder: str) -> None:
    """Connects to a file that nobody made yet, then to another one, each when told to; says which mode it found."""
    await _told_to_start()
    for number in count():
        with sqlite_engine(str(Path(folder, f"{number}.db"))).connect() as connection:
            _say(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        await asyncio.to_thread(sys.stdin.readline)


async def _told_to_start() -> None:
    _say(READY)
    await asyncio.to_thread(sys.stdin.readline)


def _say(word: str) -> None:
    print(word, flush=True)


PROGRAMS: dict[str, Callable[..., Awaitable[None]]] = {
    "make": make_files,
    "open": open_fresh,
    "plan": plan_all,
    "work": work_for_ever,
}

if __name__ == "__main__":
    asyncio.run(PROGRAMS[sys.argv[1]](*sys.argv[2:]))

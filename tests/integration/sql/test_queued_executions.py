"""What users queue: how it is counted, and how many rows it takes to cancel it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, select, text

from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.sql import reads
from cronhook_core.backends.sql.tables import workspaces
from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore
from cronhook_core.domain.execution import Execution
from cronhook_core.domain.job import Job
from cronhook_core.domain.queue_bounds import QueueBounds
from cronhook_core.errors import QuotaExceeded
from cronhook_core.testing.builders import NOW, gone, make_execution
from cronhook_core.testing.job_store.scene import LATER, Scene
from tests.many_queued import MANY, queue_many


class Bench:
    """One store, and what its database does."""

    def __init__(self, scene: Scene, database: PostgresDatabase | SqliteDatabase, url: str) -> None:
        self.scene = scene
        self.database = database
        self._url = url
        self._ticks = 0
        if isinstance(database, SqliteDatabase):
            event.listen(database._writer, "before_cursor_execute", self._watch)

    async def bound(self) -> int | None:
        return await self.database.read(lambda c: c.execute(select(workspaces.c.queued_bound)).scalar_one())

    async def queue_many(self, job: Job) -> Execution:
        """Executions of this job, as many as may be; one of them."""
        first = make_execution(job)
        await self.scene.store.add_execution(first, now=NOW)
        await self.database.write(queue_many, first.id)
        return first

    def _watch(self, connection: Any, *_: Any) -> None:
        connection.connection.driver_connection.set_progress_handler(self._tick, 10)

    def _tick(self) -> None:
        self._ticks += 10

    async def cost(self, act: Callable[[], Awaitable[object]]) -> int:
        """What the act reads and writes: rows on Postgres; on SQLite steps of its machine, some twenty for a row."""
        before = await self._touched()
        await act()
        return await self._touched() - before

    async def _touched(self) -> int:
        if isinstance(self.database, SqliteDatabase):
            return self._ticks // 20
        await self.database.read(lambda c: c.execute(text("SELECT pg_stat_force_next_flush()")))
        await self.database.execute("SELECT pg_stat_force_next_flush()")
        counters = "seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + n_tup_del"
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as observer:
            rows = await observer.execute(f"SELECT sum({counters})::int FROM pg_stat_user_tables")
            [(touched,)] = await rows.fetchall()
        return int(touched)

    async def statuses(self) -> dict[str, int]:
        query = text("SELECT status, count(*) FROM executions GROUP BY status")
        return dict(await self.database.read(lambda c: [tuple(row) for row in c.execute(query)]))

    async def open(self) -> int:
        return await self.database.read(lambda c: c.execute(text("SELECT count(*) FROM open_executions")).scalar_one())


@pytest.fixture(params=["sqlite", "postgres"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            file = await stack.enter_async_context(SqliteDatabase.open(tmp_path / "cronhook.db"))
            yield Bench(Scene(SqliteJobStore(file), SqliteAccountStore(file)), file, "")
        else:
            url = request.getfixturevalue("postgres_url")
            database = await stack.enter_async_context(PostgresDatabase.open(url, pool_size=1))
            yield Bench(Scene(PostgresJobStore(database), PostgresAccountStore(database)), database, url)


async def test_the_bound_follows_additions_and_is_exact_again_where_it_reached_the_limit(bench: Bench) -> None:
    job, bounds = await bench.scene.job(), QueueBounds(per_job=None, per_workspace=4)
    queued = [make_execution(job) for _ in range(6)]
    for number, execution in enumerate(queued[:4], 1):
        await bench.scene.store.add_execution(execution, now=NOW, bounds=bounds)
        assert await bench.bound() == number
    await bench.scene.store.cancel_execution(job.workspace_id, queued[0].id, now=NOW)
    assert await bench.bound() == 4
    await bench.scene.store.add_execution(queued[4], now=NOW, bounds=bounds)  # counts: there are three
    assert await bench.bound() == 4
    with pytest.raises(QuotaExceeded):
        await bench.scene.store.add_execution(queued[5], now=NOW, bounds=bounds)


async def test_nothing_is_counted_while_a_workspace_has_fewer_than_one_job_may_have(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[object] = []
    count = reads.count_queued

    def counting(*args: Any, **kwargs: Any) -> int:
        counted.append(args[1:])
        return count(*args, **kwargs)

    monkeypatch.setattr(reads, "count_queued", counting)
    job, bounds = await bench.scene.job(), QueueBounds(per_job=10, per_workspace=100)
    for _ in range(10):
        await bench.scene.store.add_execution(make_execution(job), now=NOW, bounds=bounds)
    assert counted == [(job.workspace_id,)]  # as it was not known at first
    with pytest.raises(QuotaExceeded):
        await bench.scene.store.add_execution(make_execution(job), now=NOW, bounds=bounds)
    assert counted[1:] == [(job.workspace_id, job.id)]


async def test_cancelling_one_execution_leaves_the_others_of_its_job_alone(bench: Bench) -> None:
    job = await bench.scene.job()
    one = await bench.queue_many(job)
    cancel = bench.scene.store.cancel_execution
    assert await bench.cost(lambda: cancel(job.workspace_id, one.id, now=LATER)) < 100
    assert await bench.statuses() == {"cancelled": 1, "queued": MANY - 1}
    assert await bench.open() == MANY - 1


@pytest.mark.parametrize("end", ["delete", "gone"])
async def test_all_that_may_be_queued_of_a_job_is_cancelled_by_touching_each_row_a_few_times(
    bench: Bench, end: str
) -> None:
    job = await bench.scene.job()
    claim = await bench.scene.running(job)
    await bench.queue_many(job)
    acts = {
        "delete": lambda: bench.scene.delete(job),
        "gone": lambda: bench.scene.store.finish([gone(claim, LATER)], LATER),
    }
    assert await bench.cost(acts[end]) < 12 * MANY
    assert await bench.statuses() == {"cancelled": MANY, "running" if end == "delete" else "failed": 1}
    assert await bench.open() == (1 if end == "delete" else 0)

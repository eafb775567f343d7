"""Jobs of a workspace are counted only where the bound on how many are open has reached the limit."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.sql.tables import workspaces
from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore
from cronhook_core.domain.job import Job
from cronhook_core.errors import QuotaExceeded
from cronhook_core.testing.builders import NOW, make_idempotent_request, make_job
from cronhook_core.testing.job_store.scene import Scene

LIMIT = 4


class Workspace:
    """One workspace under `LIMIT`, and the bound in its row."""

    def __init__(self, scene: Scene, database: PostgresDatabase | SqliteDatabase) -> None:
        self.scene = scene
        self._database = database

    async def create(self, *, with_key: bool) -> Job:
        """``with_key``: as a request that is answered again, which is another way into the table."""
        job = make_job((await self.scene.workspace()).id)
        idempotency = make_idempotent_request(key=job.id) if with_key else None
        await self.scene.store.create_job(job, max_jobs=LIMIT, now=NOW, idempotency=idempotency)
        return job

    async def bound(self) -> int | None:
        return await self._database.read(lambda c: c.execute(select(workspaces.c.open_jobs_bound)).scalar_one())


@pytest.fixture(params=["sqlite", "postgres"])
async def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Workspace]:
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            file = await stack.enter_async_context(SqliteDatabase.open(tmp_path / "cronhook.db"))
            yield Workspace(Scene(SqliteJobStore(file), SqliteAccountStore(file)), file)
        else:
            url = request.getfixturevalue("postgres_url")
            database = await stack.enter_async_context(PostgresDatabase.open(url))
            yield Workspace(Scene(PostgresJobStore(database), PostgresAccountStore(database)), database)


@pytest.mark.parametrize("keys", [(False,), (True,), (False, True), (True, False)])
async def test_it_follows_creations_and_is_exact_again_where_it_reached_the_limit(
    workspace: Workspace, keys: tuple[bool, ...]
) -> None:
    ways = [keys[number % len(keys)] for number in range(6)]
    bounds = []
    for with_key in ways[:3]:
        job = await workspace.create(with_key=with_key)
        bounds.append(await workspace.bound())
    assert bounds == [1, 2, 3]
    await workspace.scene.delete(job)
    assert await workspace.bound() == 3
    last = await workspace.create(with_key=ways[3])
    assert await workspace.bound() == LIMIT
    await workspace.create(with_key=ways[4])  # counts: there are three
    assert await workspace.bound() == LIMIT
    with pytest.raises(QuotaExceeded):
        await workspace.create(with_key=ways[5])
    await workspace.scene.delete(last)
    await workspace.create(with_key=ways[5])
    assert await workspace.scene.store.count_jobs(last.workspace_id) == LIMIT


async def test_without_a_limit_it_is_not_known(workspace: Workspace) -> None:
    await workspace.create(with_key=False)
    await workspace.scene.job()
    assert await workspace.bound() is None
    await workspace.create(with_key=False)  # counts
    assert await workspace.bound() == 3

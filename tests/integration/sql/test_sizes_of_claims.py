"""A claim is bounded by bytes also where a job's row does not say how many it takes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import update

from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.sql.tables import jobs
from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore
from cronhook_core.testing.job_store.scene import LATER, Scene

Database = PostgresDatabase | SqliteDatabase


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            yield await stack.enter_async_context(SqliteDatabase.open(tmp_path / "cronhook.db"))
        else:
            url = request.getfixturevalue("postgres_url")
            yield await stack.enter_async_context(PostgresDatabase.open(url))


@pytest.fixture
def scene(database: Database) -> Scene:
    if isinstance(database, SqliteDatabase):
        return Scene(SqliteJobStore(database), SqliteAccountStore(database))
    return Scene(PostgresJobStore(database), PostgresAccountStore(database))


async def test_a_job_of_unknown_size_counts_as_its_payload(scene: Scene, database: Database) -> None:
    job = await scene.job(payload=b'"' + b"x" * 99_998 + b'"')
    await database.write(lambda connection: connection.execute(update(jobs).values(stored_bytes=0)))
    names = [(await scene.queued(job)).id for _ in range(3)]
    claims = await scene.store.claim(names, worker_id=await scene.worker(), now=LATER, max_bytes=200_000)
    assert [claim.execution_id for claim in claims] == names[:2]
    assert {len(claim.payload) for claim in claims} == {100_000}

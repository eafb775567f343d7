"""Stored bytes of a workspace are counted anew only where their bound reaches the limit, and not all the time."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete

from cronhook_core.backends.postgres.account_store import PostgresAccountStore
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.job_store import PostgresJobStore
from cronhook_core.backends.sql.room import RECOUNTED_AFTER
from cronhook_core.backends.sql.tables import jobs, open_jobs, timetable
from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore
from cronhook_core.domain.job import Job
from cronhook_core.errors import QuotaExceeded
from cronhook_core.testing.builders import NOW, make_definition, make_job
from cronhook_core.testing.job_store.scene import Scene

ROOM_FOR = 3


class Workspace:
    """A workspace with room for so many jobs, and `forget`, which removes them as the retention does."""

    def __init__(self, scene: Scene, database: PostgresDatabase | SqliteDatabase) -> None:
        self.scene = scene
        self._database = database

    async def create(self, now: datetime = NOW) -> Job:
        job = make_job((await self.scene.workspace()).id)
        limit = ROOM_FOR * job.counted_bytes
        await self.scene.store.create_job(job, max_jobs=None, max_stored_bytes=limit, now=now)
        return job

    async def forget(self, *forgotten: Job) -> None:
        ids = [job.id for job in forgotten]

        def remove(connection: Connection) -> None:
            for column in (timetable.c.job_id, open_jobs.c.job_id, jobs.c.id):
                connection.execute(delete(column.table).where(column.in_(ids)))

        await self._database.write(remove)


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


async def test_what_was_removed_leaves_room_once_the_limit_is_reached(workspace: Workspace) -> None:
    old = [await workspace.create() for _ in range(ROOM_FOR)]
    await workspace.forget(*old[:2])
    assert await workspace.scene.store.stored_bytes(old[0].workspace_id) == ROOM_FOR * old[0].counted_bytes
    for _ in range(2):
        await workspace.create()
    with pytest.raises(QuotaExceeded):
        await workspace.create()


async def test_they_are_counted_once_a_minute_at_most(workspace: Workspace) -> None:
    old = [await workspace.create() for _ in range(ROOM_FOR)]
    with pytest.raises(QuotaExceeded):
        await workspace.create(NOW)
    await workspace.forget(*old)
    with pytest.raises(QuotaExceeded):
        await workspace.create(NOW + RECOUNTED_AFTER / 2)
    await workspace.create(NOW + RECOUNTED_AFTER)


async def test_a_change_finds_the_room_as_well(workspace: Workspace) -> None:
    old = [await workspace.create() for _ in range(ROOM_FOR)]
    await workspace.forget(*old[:2])
    kept = old[2]
    wide = kept.changed(NOW, definition=make_definition(payload=b"12345"))
    limit = ROOM_FOR * kept.counted_bytes
    assert await workspace.scene.store.change_job(
        wide, expected=kept, cancel=None, max_jobs=None, max_stored_bytes=limit, now=NOW
    )
    assert await workspace.scene.store.stored_bytes(kept.workspace_id) == wide.counted_bytes

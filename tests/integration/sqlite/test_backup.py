"""The online backup."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cronhook_core.backends.sqlite import SqliteDatabase, SqliteJobStore
from cronhook_core.domain.workspace import Workspace
from cronhook_core.ports.job_catalog import JobFilter
from cronhook_core.testing.builders import NOW, make_job


async def test_a_copy_holds_what_was_there_and_is_one_sound_file(
    tmp_path: Path, database: SqliteDatabase, store: SqliteJobStore, workspace: Workspace
) -> None:
    job, folder = make_job(workspace.id), tmp_path / "backups"
    folder.mkdir()
    await store.create_job(job, max_jobs=None, now=NOW)
    await database.backup(folder / "copy.db")
    await store.create_job(make_job(workspace.id), max_jobs=None, now=NOW)
    assert [file.name for file in folder.iterdir()] == ["copy.db"]
    with closing(sqlite3.connect(folder / "copy.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    async with SqliteDatabase.open(folder / "copy.db", migrate=False) as copy:
        assert await SqliteJobStore(copy).list_jobs(workspace.id, JobFilter(), limit=10) == [job]


async def test_a_copy_made_under_load_is_one_moments_state(
    tmp_path: Path, database: SqliteDatabase, store: SqliteJobStore, workspace: Workspace
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def create_in_order() -> list[str]:
        created = []
        while not ended.is_set():
            job = make_job(workspace.id, payload=b'"' + b"x" * 5000 + b'"')
            await store.create_job(job, max_jobs=None, now=NOW)
            created.append(job.id)
            begun.set()
        return created

    creating = asyncio.create_task(create_in_order())
    await begun.wait()
    await database.backup(tmp_path / "copy.db")
    ended.set()
    created = await creating
    async with SqliteDatabase.open(tmp_path / "copy.db", migrate=False) as copy:
        copied = {job.id for job in await SqliteJobStore(copy).list_jobs(workspace.id, JobFilter(), limit=10_000)}
    assert copied == set(created[: len(copied)])


async def test_nobody_else_may_read_a_copy(tmp_path: Path, database: SqliteDatabase) -> None:
    await database.backup(tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


async def test_an_older_copy_is_replaced(tmp_path: Path, database: SqliteDatabase) -> None:
    (tmp_path / "copy.db").write_text("older")
    await database.backup(tmp_path / "copy.db")
    async with SqliteDatabase.open(tmp_path / "copy.db", migrate=False) as copy:
        await SqliteJobStore(copy).ping()


async def test_a_copy_that_cannot_take_its_place_leaves_nothing_behind(
    tmp_path: Path, database: SqliteDatabase
) -> None:
    folder = tmp_path / "copy.db"
    folder.mkdir()
    before = set(tmp_path.iterdir())
    with pytest.raises(IsADirectoryError):
        await database.backup(folder)
    assert set(tmp_path.iterdir()) == before


async def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, database: SqliteDatabase) -> None:
    with pytest.raises(FileNotFoundError):
        await database.backup(tmp_path / "absent" / "copy.db")

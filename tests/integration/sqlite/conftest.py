from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore
from cronhook_core.domain.workspace import Workspace
from cronhook_core.testing.builders import make_workspace


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cronhook.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    async with SqliteDatabase.open(path) as database:
        yield database


@pytest.fixture
def store(database: SqliteDatabase) -> SqliteJobStore:
    return SqliteJobStore(database)


@pytest.fixture
async def workspace(database: SqliteDatabase) -> Workspace:
    return await SqliteAccountStore(database).ensure_workspace(make_workspace())

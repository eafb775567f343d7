"""What an idle engine reads and writes, without SQLAlchemy."""

import asyncio
import sqlite3
import threading

import pytest
from sqlalchemy import Connection

from cronhook_core.backends.sqlite import SqliteDatabase
from cronhook_core.backends.sqlite.database import ENGINE_READERS
from cronhook_core.errors import StoreUnavailable

NORMAL, FULL = 1, 2


def synchronous(connection: sqlite3.Connection) -> int:
    [(mode,)] = connection.execute("PRAGMA synchronous").fetchall()
    return int(mode)


async def test_only_notes_may_be_lost_in_a_power_cut(database: SqliteDatabase) -> None:
    def of_writer(connection: Connection) -> int:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return synchronous(driver)

    assert await database.note(synchronous) == NORMAL
    assert await database.write(of_writer) == FULL
    assert await database.write_first(of_writer) == FULL


async def test_a_look_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        await database.look(lambda connection: connection.execute("DELETE FROM workers"))


async def test_a_note_is_seen_by_the_next_look(database: SqliteDatabase) -> None:
    await database.note(lambda connection: connection.execute("INSERT INTO meta VALUES ('noted', '')"))
    assert await database.look(lambda connection: connection.execute("SELECT 1 FROM meta").fetchall())


async def test_looks_at_once_have_connections_of_their_own(database: SqliteDatabase) -> None:
    together = threading.Barrier(ENGINE_READERS, timeout=10)

    def meet(connection: sqlite3.Connection) -> int:
        together.wait()
        return id(connection)

    first = await asyncio.gather(*(database.look(meet) for _ in range(ENGINE_READERS)))
    again = await asyncio.gather(*(database.look(meet) for _ in range(ENGINE_READERS)))
    assert len(set(first)) == ENGINE_READERS
    assert set(again) == set(first)


async def test_a_connection_that_failed_is_closed(database: SqliteDatabase) -> None:
    used: list[sqlite3.Connection] = []

    def fail(connection: sqlite3.Connection) -> None:
        used.append(connection)
        connection.execute("BEGIN IMMEDIATE")
        raise RuntimeError("in the middle of a transaction")

    with pytest.raises(RuntimeError):
        await database.note(fail)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        used[0].execute("SELECT 1")
    await database.note(lambda connection: connection.execute("INSERT INTO meta VALUES ('noted', '')"))

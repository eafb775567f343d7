from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, QueuePool, event
from sqlalchemy.exc import DBAPIError

from cronhook_core.backends.sql.engines import sqlite_engine
from cronhook_core.backends.sql.migrations import check_schema, upgrade_within
from cronhook_core.backends.sql.urls import sqlite_path
from cronhook_core.backends.sqlite.backup import copy_to
from cronhook_core.backends.sqlite.bare import BareConnections
from cronhook_core.errors import SchemaMismatch, StoreBusy, StoreUnavailable

READERS, ENGINE_READERS = 3, 2
_AWAY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Primary result codes that say something of the file or its disk, not of a statement."""

P = ParamSpec("P")
T = TypeVar("T")


class SqliteDatabase:
    """One SQLite file, open for reading and writing beside other processes that do the same.

    Each call runs one function in a thread, as one transaction: writers one after the other, readers beside them on the
    state of the last commit. A caller that is cancelled does not interrupt the transaction under way.

    `read` and `write` are for users. Their writes take turns, so that the engine's (`write_first`) wait for one of them
    at most, and its reads (`read_first`) for none. `look` and `note` are what it reads and writes all the time, and
    commit each statement by itself.

    Where another process holds the file, a write waits some seconds for it (`engines.BUSY_TIMEOUT_SECONDS`), and those
    that queue behind it do not begin to wait anew: however many there are, each raises ``StoreBusy`` within twice that.
    """

    def __init__(self, path: str) -> None:
        self._reader = sqlite_engine(path, begin="BEGIN", pool=QueuePool)  # it looks at the schema first
        self._writer = sqlite_engine(path, pool=QueuePool, may_make=False)
        event.listen(self._reader, "connect", _forbid_writing)
        self._looks = BareConnections(self._reader)
        self._notes = BareConnections(self._writer, "synchronous=NORMAL")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="cronhook-sqlite-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="cronhook-sqlite-reader")
        self._reading_first = ThreadPoolExecutor(ENGINE_READERS, thread_name_prefix="cronhook-sqlite-engine")
        self._turn = asyncio.Lock()
        self._in_vain_since = -math.inf
        self.newer_schema: str | None = None
        """The schema's revision where a later version of cronhook made it; worth a warning."""

    @classmethod
    @asynccontextmanager
    async def open(cls, path_or_url: str | Path, *, migrate: bool = True) -> AsyncIterator[SqliteDatabase]:
        """Open the file, made if it is missing: a path, or a URL such as ``sqlite:///cronhook.db``.

        An older schema is brought up to date, or, without ``migrate``, raises `SchemaMismatch`.
        """
        database = cls(sqlite_path(str(path_or_url)))
        try:
            await database._prepare(migrate)
            yield database
        finally:
            await database._close()

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._reading, lambda: _in_transaction(self._reader, lambda c: work(c, *args, **kwargs)))

    async def read_first(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read without a turn among the users, who may ask for much: what is due cannot wait for all of that."""
        return await self._run(
            self._reading_first, lambda: _in_transaction(self._reader, lambda c: work(c, *args, **kwargs))
        )

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        asked_at = time.monotonic()
        async with self._turn:
            return await self._write(asked_at, self._transaction(lambda c: work(c, *args, **kwargs)))

    async def write_first(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write without a turn among the users: what is due, and beats and leases, cannot wait for all of them."""
        asked_at = time.monotonic()
        return await self._write(asked_at, self._transaction(lambda c: work(c, *args, **kwargs)))

    async def look(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read_first`, by few and short statements, each of which sees the last commit before it."""
        return await self._run(
            self._reading_first, lambda: _translated(self._looks.run, lambda c: work(c, *args, **kwargs))
        )

    async def note(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `write_first`, by few and short statements, each of which is committed by itself, for what is true now.

        A power cut may undo them: who lived before it does not count after it, and nothing waits for the disk.
        """
        asked_at = time.monotonic()
        return await self._write(asked_at, lambda: _translated(self._notes.run, lambda c: work(c, *args, **kwargs)))

    async def backup(self, to_path: str | Path) -> None:
        """Write a copy of this moment's state to a file of its own, while everybody goes on working.

        A file of that name is replaced once the copy is complete. Raises OSError where it cannot be written.
        """
        await self._run(self._reading, partial(_translated, copy_to, self._reader, Path(to_path)))

    def _transaction(self, work: Callable[[Connection], T]) -> Callable[[], T]:
        return lambda: _in_transaction(self._writer, work)

    async def _write(self, asked_at: float, write: Callable[[], T]) -> T:
        return await self._run(self._writing, lambda: self._unless_in_vain(asked_at, write))

    def _unless_in_vain(self, asked_at: float, write: Callable[[], T]) -> T:
        if asked_at <= self._in_vain_since:
            raise StoreBusy("the SQLite file cannot be used now: another process holds it")
        began = time.monotonic()
        try:
            return write()
        except StoreBusy:
            self._in_vain_since = began  # whoever asked before has waited as long by now
            raise

    async def _prepare(self, migrate: bool) -> None:
        try:
            self.newer_schema = await self.read(check_schema)
        except SchemaMismatch:
            if not migrate:
                raise
            await self.write(upgrade_within)

    async def _close(self) -> None:
        async with self._turn:  # after whoever waits for one
            for pool in (self._reading, self._reading_first, self._writing):
                await asyncio.to_thread(pool.shutdown)
        for connections in (self._looks, self._notes):
            await asyncio.to_thread(connections.close)
        for engine in (self._reader, self._writer):  # the last to close tidies the file up
            await asyncio.to_thread(engine.dispose)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(pool, work)
        except RuntimeError:  # the pool takes nothing more
            raise StoreUnavailable("the SQLite file was closed") from None
        return await running


def _forbid_writing(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA query_only=ON").close()


def _in_transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    return _translated(_committed, engine, work)


def _committed(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _translated(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return work(*args, **kwargs)
    except DBAPIError as error:
        away = _away(error.orig)
        if away is None:
            raise
        raise away from error
    except sqlite3.Error as error:
        away = _away(error)
        if away is None:
            raise
        raise away from error


def _away(error: BaseException | None) -> StoreUnavailable | StoreBusy | None:
    """What is raised instead of an error that says something of the file; None for any other."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary not in _AWAY:
        return None
    kind = StoreBusy if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else StoreUnavailable
    return kind(f"the SQLite file cannot be used now: {error}")

"""SQLAlchemy engines of both databases, for one thread at a time."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, Pool, create_engine, event

from cronhook_core.backends.sql.urls import is_sqlite, postgres_url, sqlite_path

BUSY_TIMEOUT_SECONDS = 5.0
"""How long a SQLite writer waits for the one before it."""
_PAUSE_SECONDS = 0.01
_NO_TRANSACTION_TIMEOUT = """
SELECT set_config('transaction_timeout', '0', true) WHERE current_setting('server_version_num')::int >= 170000
"""
_ADVISORY_LOCK = 0x63726F6E686F6F6B
"""The number under which installations of cronhook change one Postgres database's schema one after the other."""


def engine_for(database_url: str, *, connect_within: int | None = None) -> Engine:
    """An engine that keeps no connection open, for commands that run once.

    ``connect_within``: whole seconds for connecting to Postgres; None: what the URL says, or the driver. Raises
    `ConfigurationError` for a URL that cannot be read.
    """
    if is_sqlite(database_url):
        return sqlite_engine(sqlite_path(database_url))
    return _postgres_engine(postgres_url(database_url), connect_within)


def sqlite_engine(
    path: str, *, begin: str = "BEGIN IMMEDIATE", pool: type[Pool] = NullPool, may_make: bool = True
) -> Engine:
    """An engine whose transactions start with ``begin``.

    A deferred transaction that turns out to write fails at once where another process wrote meanwhile, without waiting;
    an immediate one waits in line. Every commit is on disk before it returns (``synchronous=FULL``).

    The first connection makes the file, with ``may_make``. Where it is gone later it is not made anew, empty.
    """
    path = str(Path(path).absolute())  # the program may go to another folder before the next connection is made
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=path),
        poolclass=pool,
        hide_parameters=True,  # in errors, and so in the log
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )

    makes = may_make

    @event.listens_for(engine, "do_connect")
    def open_file(_: Any, __: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        nonlocal makes
        if makes:
            _make_for_owner_alone(path)
            makes = False
        arguments[:] = [f"{Path(path).as_uri()}?mode=rw"]
        options["uri"] = True

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions of its own, deferred ones
        _use_wal(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _make_for_owner_alone(path: str) -> None:
    """A new file's permissions are those of its log and its index, too. Why it cannot be made, SQLite says better."""
    with suppress(OSError):
        os.close(os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _use_wal(connection: sqlite3.Connection) -> None:
    """Where several processes turn a new file into WAL mode at once, SQLite lets all but one fail without waiting."""
    pauses = int(BUSY_TIMEOUT_SECONDS / _PAUSE_SECONDS)
    for pauses_left in range(pauses, -1, -1):
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or pauses_left == 0:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def lock_schema(connection: Connection) -> None:
    """Keep others from changing the schema until the transaction ends; SQLite's writers exclude each other anyway.

    Whoever holds it may take longer than the limits that a role has for transitions, and so may the changes.
    """
    if connection.dialect.name == "postgresql":
        for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = 0")
        connection.exec_driver_sql(_NO_TRANSACTION_TIMEOUT)
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")


def _postgres_engine(url: str, connect_within: int | None) -> Engine:
    import psycopg  # not installed where only SQLite is used

    from cronhook_core.backends.sql.libpq import read_conninfo

    read_conninfo(url)
    options: Any = {"client_encoding": "utf8"} | ({} if connect_within is None else {"connect_timeout": connect_within})
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, **options),
        poolclass=NullPool,
        hide_parameters=True,
    )

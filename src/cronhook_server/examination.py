"""Looks at a database and at Redis as they are, without making or changing anything: for operators' commands."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from attrs import frozen
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SQLAlchemyError

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.sql.accounts import stored_key_id
from cronhook_core.backends.sql.engine_reads import zone_rules
from cronhook_core.backends.sql.engines import engine_for
from cronhook_core.backends.sql.migrations import VERSION_TABLE, current_revision, head_revision, is_newer
from cronhook_core.backends.sql.urls import is_sqlite, sqlite_path
from cronhook_core.backends.sqlite.backup import copy_file
from cronhook_core.errors import ConfigurationError, QueueUnavailable, StoreUnavailable
from cronhook_server.settings import Settings

_URL = "CRONHOOK_DATABASE_URL"
_MAGIC = b"SQLite format 3\0"
_BESIDE = ("-wal", "-shm", "-journal", ".key")
_META = "meta"
_CONNECT_WITHIN = 5


@frozen(kw_only=True)
class DatabaseFacts:
    """``revision`` None: cronhook never made its tables here. ``clock_ahead`` None: its clock is this machine's.

    ``key_id`` and ``zone_rules`` are what the installation remembers; None: nothing yet.
    """

    server: str
    revision: str | None
    wanted: str
    is_newer: bool
    clock_ahead: timedelta | None
    key_id: str | None
    zone_rules: str | None


@frozen(kw_only=True)
class RedisFacts:
    """``eviction_policy`` is what Redis does when its memory is full."""

    server: str
    version: tuple[int, ...]
    eviction_policy: str
    clock_ahead: timedelta


def sqlite_file(settings: Settings) -> Path | None:
    """The file of the settings; None where they name a Postgres database."""
    return Path(sqlite_path(settings.database_url)) if is_sqlite(settings.database_url) else None


def existing_sqlite_file(settings: Settings) -> Path | None:
    """The same; raises `ConfigurationError` where there is no such file, which opening it would make."""
    file = sqlite_file(settings)
    if file is not None and not file.is_file():
        raise ConfigurationError(_URL, f"there is no file {file}: is this the right folder?")
    return file


def examine_database(settings: Settings) -> DatabaseFacts:
    """Raises `StoreUnavailable` where it does not answer. A SQLite file must exist."""
    engine = engine_for(settings.database_url, connect_within=_CONNECT_WITHIN)
    try:
        with engine.connect() as connection:
            return _facts(connection)
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the database does not answer: {_said(error)}") from error
    finally:
        engine.dispose()


async def examine_redis(url: str) -> RedisFacts:
    """Raises `QueueUnavailable` where it does not answer, ConfigurationError for a URL that can never work."""
    from cronhook_core.backends.redis.clock import RedisClock
    from cronhook_core.backends.redis.connection import RedisConnection

    try:
        redis = RedisConnection.open(url, clock=SystemClock(), random=Random())
    except ValueError:  # its words may repeat the password
        raise ConfigurationError("CRONHOOK_REDIS_URL", "can never work: check its host, port and options") from None
    try:
        info = await redis.call(lambda client: client.info("server", "memory"), QueueUnavailable)
        clock = RedisClock(redis, SystemClock())
        await clock.sync()
        ahead = clock.refused_jump or clock.now() - datetime.now(UTC)
    finally:
        await redis.close()
    name = str(info.get("server_name", "redis")).capitalize()
    version = str(info.get("valkey_version", info["redis_version"]))
    return RedisFacts(
        server=f"{name} {version}",
        version=tuple(int(part) for part in str(info["redis_version"]).split(".") if part.isdigit()),
        eviction_policy=str(info.get("maxmemory_policy", "noeviction")),
        clock_ahead=ahead,
    )


def back_up(settings: Settings, file: Path) -> str:
    """Copy the SQLite file of the settings to ``file``; the revision of its schema.

    Raises `ConfigurationError` where there is nothing to copy, or ``file`` is something else than an older copy, and
    OSError where it cannot be written.
    """
    database = existing_sqlite_file(settings)
    if database is None:
        raise ConfigurationError(_URL, "names a Postgres database: back it up with pg_dump")
    _require_replaceable(database, file)
    try:
        revision = _revision(database)
        copy_file(database, file)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{database} cannot be copied: {error}") from error
    return revision


def _facts(connection: Connection) -> DatabaseFacts:
    revision = current_revision(connection)
    remembers = revision is not None and inspect(connection).has_table(_META)
    return DatabaseFacts(
        server=_server(connection),
        revision=revision,
        wanted=head_revision(),
        is_newer=is_newer(revision),
        clock_ahead=_clock_ahead(connection),
        key_id=stored_key_id(connection) if remembers else None,
        zone_rules=zone_rules(connection) if remembers else None,
    )


def _server(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}"


def _clock_ahead(connection: Connection) -> timedelta | None:
    """As exact as half the time that the answer took."""
    if connection.dialect.name == "sqlite":
        return None
    asked = datetime.now(UTC)
    theirs: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    answered = datetime.now(UTC)
    return theirs - (asked + (answered - asked) / 2)


def _require_replaceable(database: Path, file: Path) -> None:
    if file.resolve() in [Path(f"{database.resolve()}{ending}") for ending in _BESIDE]:
        raise ConfigurationError("FILE", f"{file} belongs to the database")
    if not file.exists():
        return
    if not stat.S_ISREG(file.stat().st_mode):
        raise ConfigurationError("FILE", f"{file} is no regular file")
    if file.samefile(database):
        raise ConfigurationError("FILE", "is the database itself")
    with file.open("rb") as opened:
        beginning = opened.read(len(_MAGIC))
    if beginning not in (b"", _MAGIC):
        raise ConfigurationError("FILE", f"{file} exists and is no SQLite file: choose another name")


def _revision(database: Path) -> str:
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as connection:
        tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        known = connection.execute(tables, (VERSION_TABLE,)).fetchone() is not None
        found = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() if known else None  # noqa: S608
        if found is None:
            raise ConfigurationError(_URL, f"{database} is not a database of cronhook")
        return str(found[0])


def _said(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", error)).split())

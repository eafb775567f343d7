"""SQLite's online backup."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from cronhook_core.backends.sql.engines import BUSY_TIMEOUT_SECONDS
from cronhook_core.errors import StoreUnavailable


def copy_to(engine: Engine, path: Path) -> None:
    """Copy one state of the database into ``path``, which is either complete and sound afterwards or untouched.

    Nobody but its owner may read the copy. Raises OSError where it cannot be written, `StoreUnavailable` where the copy
    is damaged, as the database then is.
    """
    with engine.connect() as connection:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)  # noqa: S101
        _copy(source, path)


def copy_file(database: Path, path: Path) -> None:
    """As `copy_to`, of a file that this process has not opened, whatever its schema.

    Raises sqlite3.Error where it cannot be read.
    """
    uri = f"{database.absolute().as_uri()}?mode=rw"  # without it, a missing file would be made
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS)) as source:
        _copy(source, path)


def _copy(source: sqlite3.Connection, path: Path) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".unfinished", dir=path.parent)
    unfinished = Path(name)
    try:
        os.close(descriptor)  # its mode is 0600
        with closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE").close()  # so that it is one file
            _check(target)
        _sync(unfinished)
        unfinished.replace(path)
        _sync(path.parent)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _check(copy: sqlite3.Connection) -> None:
    (first,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if first != "ok":
        raise StoreUnavailable(f"the database is damaged, and was not copied: {first}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

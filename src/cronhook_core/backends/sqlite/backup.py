"""SQLite's online backup."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine


def copy_to(engine: Engine, path: Path) -> None:
    """Copy one state of the database into ``path``, which is either complete afterwards or untouched."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    os.close(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))  # it holds all that the original does
    try:
        with closing(sqlite3.connect(unfinished)) as target, engine.connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)  # noqa: S101
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE").close()  # so that it is one file
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine

T = TypeVar("T")


class BareConnections:
    """Connections of ``engine`` without SQLAlchemy around them, for work of one or two short statements.

    What it does around such a statement takes thirty times as long as the statement, and an idle program runs no
    others. Each statement is committed by itself. ``pragma`` is set on every connection; there are as many of these as
    threads that work at once, and they stay open until `close`.
    """

    def __init__(self, engine: Engine, pragma: str | None = None) -> None:
        self._engine = engine
        self._pragma = pragma
        self._idle: list[sqlite3.Connection] = []

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Raises errors of the driver as they are. A connection on which work failed is closed."""
        connection = self._take()
        try:
            result = work(connection)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return result

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> sqlite3.Connection:
        pooled = self._engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()  # it is not for the pool to close
        assert isinstance(connection, sqlite3.Connection)  # noqa: S101  # the dialect's driver
        try:
            if self._pragma is not None:
                connection.execute(f"PRAGMA {self._pragma}").close()
        except BaseException:
            connection.close()
            raise
        return connection

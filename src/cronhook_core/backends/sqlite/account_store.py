from __future__ import annotations

from cronhook_core.backends.sql.account_store import SqlAccountStore
from cronhook_core.backends.sqlite.database import SqliteDatabase


class SqliteAccountStore(SqlAccountStore):
    """The `AccountStore` in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)

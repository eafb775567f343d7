from __future__ import annotations

from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.sql.account_store import SqlAccountStore


class PostgresAccountStore(SqlAccountStore):
    """The `AccountStore` in a Postgres database."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database)

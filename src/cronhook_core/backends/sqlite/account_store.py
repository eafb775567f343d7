from __future__ import annotations

from collections.abc import Sequence

from cronhook_core.backends.sql import accounts
from cronhook_core.backends.sql.account_store import SqlAccountStore
from cronhook_core.backends.sqlite.database import SqliteDatabase
from cronhook_core.domain.workspace import SigningSecretVersion


class SqliteAccountStore(SqlAccountStore):
    """The `AccountStore` in a SQLite file."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)
        self._file = database

    async def signing_versions(self, workspace_id: str) -> Sequence[SigningSecretVersion]:
        """Before users' reads: webhooks wait for it."""
        return await self._file.read_first(accounts.signing_versions, workspace_id)

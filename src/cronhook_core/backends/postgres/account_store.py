from __future__ import annotations

import json
from datetime import UTC, datetime

from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.sql.account_store import SqlAccountStore
from cronhook_core.domain.api_key import ApiKey, Scope

FIND_KEY = """
SELECT id, workspace_id, name, prefix, digest, scopes, created_at, expires_at, revoked_at, last_used_at
FROM api_keys WHERE digest = $1::bytea
"""


class PostgresAccountStore(SqlAccountStore):
    """The `AccountStore` in a Postgres database."""

    _database: PostgresDatabase

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database)

    async def find_key(self, digest: bytes) -> ApiKey | None:
        """Every call of the API begins with this one: it goes the short way of the transitions."""
        rows = await self._database.execute(FIND_KEY, [digest])
        for key_id, workspace_id, name, prefix, stored, scopes, created, expires, revoked, used in rows:
            return ApiKey(
                id=key_id,
                workspace_id=workspace_id,
                name=name,
                prefix=prefix,
                digest=stored,
                scopes=frozenset(map(Scope, json.loads(scopes))),
                created_at=created.astimezone(UTC),
                expires_at=_in_utc(expires),
                revoked_at=_in_utc(revoked),
                last_used_at=_in_utc(used),
            )
        return None


def _in_utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.astimezone(UTC)

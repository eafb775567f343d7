from __future__ import annotations

from datetime import UTC, datetime

from cronhook_core.backends.clocks import RemoteClock, SystemClock
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.ports.clock import Clock

READ_WITHIN = 1.75


class PostgresClock(RemoteClock):
    """The `Clock` that all nodes of one database agree on: `sync` once, then `start`. ``base`` is the node's own."""

    def __init__(self, database: PostgresDatabase, base: Clock | None = None) -> None:
        super().__init__(base or SystemClock(), self._time_of_database)
        self._database = database

    async def _time_of_database(self) -> datetime:
        [(now,)] = await self._database.execute("SELECT clock_timestamp()", answer_within=READ_WITHIN)
        assert isinstance(now, datetime)  # noqa: S101
        return now.astimezone(UTC)

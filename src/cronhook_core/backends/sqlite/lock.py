from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.sql.rows import AnyRow
from cronhook_core.backends.sql.tables import leases
from cronhook_core.backends.sql.types import to_stored
from cronhook_core.backends.sqlite.database import SqliteDatabase
from cronhook_core.errors import LockUnavailable, StoreBusy, StoreUnavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.lock import Held, Lease

RENEWALS = 3
"""Of a lease within its life: each one writes to the file. One that waits longer than 0.85 s for it loses the lead."""
POLL_SECONDS = 0.1
"""How soon a waiting process notices what another one released."""

T = TypeVar("T")

_STORED = select(leases).where(leases.c.name == bindparam("of"))
_IS_THERE = "SELECT 1 FROM leases WHERE name = :of"
_RENEW = """
UPDATE leases SET granted_at = :now, expires_at = :until
WHERE name = :of AND token = :by AND expires_at > :now AND granted_at <= :until
"""
"""A lease of the future, from before a clock was set back, is free for all: see `_remaining`."""


class SqliteLock:
    """The `Lock` of the processes that share a SQLite file, and so a machine and its wall clock.

    ``clock`` measures waiting; None is this machine's.
    """

    def __init__(self, database: SqliteDatabase, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    async def acquire(self, name: str, ttl: timedelta, now: datetime) -> Lease | Held:
        return await _answer(
            self._database.write_first(_acquire, Lease(name=name, token=secrets.token_hex(16)), ttl, now)
        )

    async def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> bool:
        return await _answer(self._database.note(_renew, lease, ttl, now))

    async def release(self, lease: Lease, now: datetime) -> None:
        await _answer(self._database.write_first(_release, lease))

    async def wait_released(self, name: str, timeout: timedelta) -> None:
        """Looks ten times a second; a lock that was never taken counts as released."""
        deadline = self._clock.monotonic() + timeout.total_seconds()
        while True:
            left = deadline - self._clock.monotonic()
            if left <= 0 or not await _answer(self._database.look(_is_there, name)):
                return
            await self._clock.sleep(min(POLL_SECONDS, left))


async def _answer(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (StoreUnavailable, StoreBusy) as error:
        raise LockUnavailable(str(error)) from error


def _stored(connection: Connection, name: str) -> AnyRow | None:
    return connection.execute(_STORED, {"of": name}).one_or_none()


def _remaining(row: AnyRow, now: datetime) -> timedelta:
    """How long the lease still lives; 0 or less when it has ended.

    A clock that was set back by more than the lease's life must not keep a dead holder's lease alive; by less, it may
    as well be that the caller read the clock before it had to wait for the file.
    """
    ttl = row.expires_at - row.granted_at
    return timedelta(0) if now < row.granted_at - ttl else row.expires_at - now


def _acquire(connection: Connection, lease: Lease, ttl: timedelta, now: datetime) -> Lease | Held:
    row = _stored(connection, lease.name)
    if row is not None and (remaining := _remaining(row, now)) > timedelta(0):
        return Held(remaining=remaining)
    values = {"token": lease.token, "granted_at": now, "expires_at": now + ttl}
    upsert = insert(leases).values(name=lease.name, **values)
    connection.execute(upsert.on_conflict_do_update(index_elements=["name"], set_=values))
    return lease


def _is_there(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute(_IS_THERE, {"of": name}).fetchall() != []


def _renew(connection: sqlite3.Connection, lease: Lease, ttl: timedelta, now: datetime) -> bool:
    times = {"now": to_stored(now), "until": to_stored(now + ttl)}
    return connection.execute(_RENEW, {"of": lease.name, "by": lease.token, **times}).rowcount == 1


def _release(connection: Connection, lease: Lease) -> None:
    connection.execute(delete(leases).where(leases.c.name == lease.name, leases.c.token == lease.token))

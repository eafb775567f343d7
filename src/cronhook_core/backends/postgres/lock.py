from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.postgres.database import PostgresDatabase, Rows
from cronhook_core.backends.postgres.notifications import RELEASED
from cronhook_core.backends.releases import Releases
from cronhook_core.errors import LockUnavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.lock import Held, Lease

ANSWER_WITHIN = 1.75
LOOK_EVERY = timedelta(seconds=0.1)
"""How often a release is looked for where none can be heard of."""

_ENDED = """(
    leases.expires_at <= clock_timestamp()
    OR coalesce(clock_timestamp() < leases.granted_at - (leases.expires_at - leases.granted_at), false)
)"""
"""Also where the clock was set back by more than the lease's life since it was granted: it would last for as long."""
_ACQUIRE = f"""
INSERT INTO leases (name, token, granted_at, expires_at)
VALUES ($1::text, $2::text, clock_timestamp(), clock_timestamp() + $3::interval)
ON CONFLICT (name) DO UPDATE
SET token = excluded.token, granted_at = excluded.granted_at, expires_at = excluded.expires_at
WHERE {_ENDED} OR leases.token = excluded.token
RETURNING 1
"""
"""The token is drawn before: a repeat after a lost answer finds its own lease, and takes it again."""
_REMAINING = f"""
SELECT expires_at - clock_timestamp() FROM leases WHERE name = $1::text AND NOT {_ENDED}
"""
_RENEW = """
UPDATE leases SET granted_at = clock_timestamp(), expires_at = clock_timestamp() + $3::interval
WHERE name = $1::text AND token = $2::text AND expires_at > clock_timestamp()
RETURNING 1
"""
_RELEASE = f"""
WITH freed AS (
    DELETE FROM leases WHERE name = $1::text AND token = $2::text RETURNING name
)
SELECT pg_notify('{RELEASED}', name) FROM freed
"""


class PostgresLock:
    """The `Lock` of all nodes of one database: a row for each lease. The database's own clock counts.

    A release wakes those who wait by a notification; behind a pooler they look for it ten times a second.
    """

    def __init__(self, database: PostgresDatabase, clock: Clock | None = None) -> None:
        self._database = database
        self._releases = Releases(clock or SystemClock())
        database.notifications.subscribe(RELEASED, self._releases.tell)

    async def acquire(self, name: str, ttl: timedelta, now: datetime) -> Lease | Held:
        lease = Lease(name=name, token=secrets.token_hex(16))
        self._releases.asking(name)
        while True:
            if await self._run(_ACQUIRE, name, lease.token, ttl):
                return lease
            remaining = await self._run(_REMAINING, name)
            if remaining:  # else it has just become free
                break
        if self._database.listens:
            self._database.notifications.start()
        return Held(remaining=remaining[0][0])

    async def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> bool:
        return bool(await self._run(_RENEW, lease.name, lease.token, ttl))

    async def release(self, lease: Lease, now: datetime) -> None:
        await self._run(_RELEASE, lease.name, lease.token)
        if not self._database.listens:
            self._releases.tell(lease.name)

    async def wait_released(self, name: str, timeout: timedelta) -> None:
        if self._database.listens:
            await self._database.notifications.listening(LockUnavailable)
            await self._releases.wait(name, timeout)
            return
        while timeout > timedelta(0) and await self._run(_REMAINING, name):
            await self._releases.wait(name, min(timeout, LOOK_EVERY))
            timeout -= LOOK_EVERY

    async def _run(self, statement: str, *parameters: object) -> Rows:
        return await self._database.execute(statement, parameters, error=LockUnavailable, answer_within=ANSWER_WITHIN)

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from cronhook_core.backends.announcements import Announcements
from cronhook_core.backends.clocks import SystemClock, happens_within
from cronhook_core.backends.postgres.arrays import Column, instants, numbers, texts
from cronhook_core.backends.postgres.database import PostgresDatabase, Rows
from cronhook_core.backends.postgres.notifications import DUE, PUSHED
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.errors import QueueUnavailable
from cronhook_core.ports.clock import Clock

BOUND = 100_000
ANSWER_WITHIN = 1.75
LOOK_EVERY = 1.0
"""How often a waiting pop looks by itself, should a notification be lost."""
LOOK_EVERY_UNHEARD = 0.1
"""The same where none can be heard, or not at the moment."""
REMEMBER_FOR = 1.0
"""Seconds for which pops begin where the last one ended: rows that were popped are dead, but not vacuumed yet."""

_PUSH = f"""
WITH pushed AS (
    INSERT INTO queue_messages (scheduled_for, attempt, execution_id, job_id, workspace_id, host)
    SELECT * FROM unnest($1::timestamptz[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[])
), dropped AS (
    DELETE FROM queue_messages WHERE seq <= (SELECT max(seq) FROM queue_messages) + $7::bigint
)
SELECT pg_notify('{PUSHED}', '')
"""
"""``dropped`` does not see what this statement inserts: $7 is how many that are, less the bound."""
_POP = """
DELETE FROM queue_messages WHERE seq = ANY (ARRAY(
    SELECT seq FROM queue_messages WHERE seq > $2::bigint ORDER BY seq LIMIT $1::int FOR UPDATE SKIP LOCKED
))
RETURNING seq, execution_id, job_id, workspace_id, host, scheduled_for, attempt
"""
"""Races. Each popper skips the messages that another one is taking, so each message goes to one."""
_DEPTH = "SELECT count(*) FROM queue_messages"
_ANNOUNCE = f"SELECT pg_notify('{DUE}', $1::text)"


class PostgresQueue:
    """The `Queue` of all nodes of one database, for installations without Redis: a table, and notifications.

    The table is not logged: a crash of the server empties it, and workers find in the store what it held. A push
    commits without waiting for the disk, and notifies once, however many messages it brings; ``NOTIFY`` takes a lock
    that all of the server shares, so no transition does it.
    """

    def __init__(self, database: PostgresDatabase, *, bound: int = BOUND, clock: Clock | None = None) -> None:
        self._database = database
        self._bound = bound
        self._clock = clock or SystemClock()
        self._announcements = Announcements(self._clock)
        self._arrival = asyncio.Event()
        self._popped_through = 0
        self._remember_until = 0.0
        database.notifications.subscribe(PUSHED, self._pushed)
        database.notifications.subscribe(DUE, self._announced)

    async def push(self, messages: Sequence[QueueMessage], now: datetime) -> None:
        kept = messages[-self._bound :]
        if kept:
            await self._run(_PUSH, *_columns(kept), len(kept) - self._bound)
            if not self._database.listens:
                self._pushed("")

    async def pop(self, limit: int, timeout: timedelta, now: datetime) -> Sequence[QueueMessage]:
        if limit <= 0:
            return []
        if self._database.listens:
            self._database.notifications.start()
        deadline = self._clock.monotonic() + timeout.total_seconds()
        while True:
            arrival = self._arrival
            taken = await self._take(limit)
            left = deadline - self._clock.monotonic()
            if taken or left <= 0:
                return taken
            await happens_within(arrival, min(left, self._look_every), self._clock)

    async def depth(self) -> int:
        [(count,)] = await self._run(_DEPTH)
        return int(count)

    async def announce(self, due_at: datetime) -> None:
        if self._database.listens:
            await self._run(_ANNOUNCE, due_at.astimezone(UTC).isoformat())
        else:
            self._announcements.tell(due_at)

    async def wait(self, timeout: timedelta) -> datetime | None:
        self._announcements.expect()
        if self._database.listens:
            await self._database.notifications.listening(QueueUnavailable)
        return await self._announcements.wait(timeout)

    @property
    def _look_every(self) -> float:
        return LOOK_EVERY if self._database.notifications.heard else LOOK_EVERY_UNHEARD

    async def _take(self, limit: int) -> list[QueueMessage]:
        begin = self._popped_through if self._clock.monotonic() < self._remember_until else 0
        rows = await self._run(_POP, limit, begin)
        if begin and not rows:
            begin = 0
            rows = await self._run(_POP, limit, begin)
        if begin == 0:
            self._remember_until = self._clock.monotonic() + REMEMBER_FOR
        rows.sort()
        self._popped_through = rows[-1][0] if rows else 0
        return [_message_from(row) for row in rows]

    async def _run(self, statement: str, *parameters: object) -> Rows:
        return await self._database.execute(statement, parameters, error=QueueUnavailable, answer_within=ANSWER_WITHIN)

    def _pushed(self, _: str) -> None:
        """Wake every pop that waits."""
        arrived, self._arrival = self._arrival, asyncio.Event()
        arrived.set()

    def _announced(self, payload: str) -> None:
        with suppress(ValueError):  # nothing was said, or by somebody else
            due_at = datetime.fromisoformat(payload)
            if due_at.tzinfo is not None:
                self._announcements.tell(due_at)


def _columns(messages: Sequence[QueueMessage]) -> list[Column]:
    return [
        instants([message.scheduled_for for message in messages]),
        numbers([message.attempt for message in messages]),
        texts([message.execution_id for message in messages]),
        texts([message.job_id for message in messages]),
        texts([message.workspace_id for message in messages]),
        texts([message.host for message in messages]),
    ]


def _message_from(row: tuple[Any, ...]) -> QueueMessage:
    """A row of `_POP`."""
    return QueueMessage(
        execution_id=row[1],
        job_id=row[2],
        workspace_id=row[3],
        host=row[4],
        scheduled_for=row[5].astimezone(UTC),
        attempt=row[6],
    )

"""How connections to Postgres are made, and what every session is told."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from attrs import frozen
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cronhook_core.backends.sql.libpq import read_conninfo
from cronhook_core.backends.sql.urls import postgres_url

Session = psycopg.AsyncConnection[tuple[Any, ...]]

_LIBPQ: dict[str, str | int] = {
    "application_name": "cronhook",
    "connect_timeout": 2,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A dead peer is noticed within some 20 s also where nobody waits for an answer. The user's URL may say otherwise."""

ENCODING = {"client_encoding": "utf8"}
"""Texts go to the server as UTF-8 whatever its own encoding, the environment or the URL says."""

SESSION = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "5s",
    "default_transaction_isolation": "read committed",
    "timezone": "UTC",
    "datestyle": "ISO",
    "jit": "off",
}
"""What the statements rely on, whatever the database's or the role's own defaults are."""

TRANSITIONS = {
    **SESSION,
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
}
"""For sessions that run nothing but the fixed statements of the transitions, over arrays of ids.

Such a statement is planned once per session and then kept, perhaps on a database that was still empty: so the plan must
be the one for a full database from the beginning. The statements do their part: a row is joined as
``x.id = ANY (ARRAY[y.id])`` and sorted by ``x.id || ''``. That leaves no way but to probe the index for each; with a
plain ``=`` or ``ORDER BY x.id``, a planner that takes the table for small may walk through all of it, in order. A
bitmap has no order: `READY` would read a whole backlog and sort it. Helpers are processes, started anew for each
statement, and a generic plan takes a third of all stored jobs for due.
"""


@frozen(kw_only=True)
class Connector:
    """Makes connections. ``through_pooler``: a pooler in transaction mode stands between (see `PostgresDatabase`)."""

    conninfo: str
    through_pooler: bool

    @classmethod
    def to(cls, database_url: str, *, through_pooler: bool) -> Connector:
        """`ConfigurationError` for a URL that libpq cannot read; the error does not repeat it."""
        given = read_conninfo(postgres_url(database_url))
        missing = {name: value for name, value in _LIBPQ.items() if name not in given}
        conninfo = make_conninfo(postgres_url(database_url), **missing, **ENCODING)
        return cls(conninfo=conninfo, through_pooler=through_pooler)

    async def connect(self, settings: Mapping[str, str], *, autocommit: bool = True) -> Session:
        """A session. A pooler knows no settings of sessions: there the role's own ones hold."""
        if self.through_pooler:
            return await psycopg.AsyncConnection.connect(self.conninfo, autocommit=autocommit, prepare_threshold=None)
        options = " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())
        users_own = conninfo_to_dict(self.conninfo).get("options", "")
        return await psycopg.AsyncConnection.connect(
            self.conninfo, options=f"{options} {users_own}".strip(), autocommit=autocommit, prepare_threshold=0
        )


@contextmanager
def cut_off_at(deadline: float, connection: Session) -> Iterator[None]:
    """At this time of the event loop, end every wait for the server on this connection, as if it had hung up.

    A server that is stopped, or a network that swallows packets, does not keep the caller for longer. Cancelling would:
    the driver then asks the server to cancel the statement, and waits for its answer.
    """
    timer = asyncio.get_running_loop().call_at(deadline, _hang_up, connection)
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: Session) -> None:
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")

"""What an error of the driver means: try again, say that the database is away, or a mistake of ours."""

from __future__ import annotations

import re

import psycopg
from attrs import frozen
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from cronhook_core.errors import CronhookError, NotAdmitted, StoreBusy, StoreUnavailable, Unavailable

DRIVER_ERRORS = (psycopg.Error, DBAPIError, PoolTimeout, TimeoutError, OSError)

_CONFLICTS = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: the server undid everything."""
_SLOW = frozenset({"55P03", "57014"})
"""A lock or a statement took too long; the session is as good as before."""
_AWAY_CLASSES = frozenset({"08", "28", "3D", "53", "57", "58"})
"""Connection, authorization, catalogue, resources, operator intervention, system: nothing that a statement does."""
_AWAY = frozenset({"0A000", "25001", "25006", "25P03", "25P04"})
"""A server that only reads (a failover: another one writes by now), and sessions ended for their idleness.

A server that only reads has no unlogged tables, and no transactions that write, which it calls unsupported (0A000) or,
where it does so by its settings, asked for too late (25001); a session whose kept plan no longer fits says 0A000 as
well. Nothing else that a server might not support is asked for.
"""
MAY_WRITE = "set_config('transaction_read_only', 'off', true) = 'off'"
"""True, or one of those errors: a read that must not be answered by a server that only reads asks for it."""
_NOT_ADMITTED = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|(role|database) \"[^\"]*\" does not exist"
)
"""What libpq says of a connection that was refused has no SQLSTATE. In another language it passes for an absence."""


@frozen(kw_only=True)
class Failure:
    """``undone``: it is certain that nothing was changed. ``connection_lost``: another connection may do better.

    ``busy``: the server answers, but another transaction was in the way, or the statement took too long.
    """

    cause: BaseException
    away: bool
    undone: bool = False
    connection_lost: bool = False
    busy: bool = False

    def as_error(self, unavailable: type[Unavailable]) -> CronhookError:
        """What leaves the backend instead."""
        if self.away:
            if unavailable is StoreUnavailable and _NOT_ADMITTED.search(str(self.cause)):
                return NotAdmitted(f"Postgres does not let cronhook in: {_told(self.cause)}")
            if unavailable is StoreUnavailable and self.busy:
                return StoreBusy(f"the database is busy: {_told(self.cause)}")
            return unavailable(f"Postgres cannot be used now: {_told(self.cause)}")
        return CronhookError(f"Postgres refused a statement: {_told(self.cause)}")


def judged(error: BaseException) -> Failure:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if not isinstance(cause, psycopg.Error):
        return Failure(cause=cause, away=True, connection_lost=not isinstance(cause, TimeoutError))
    state = cause.sqlstate
    if state is None:
        lost = isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError))
        return Failure(cause=cause, away=lost, connection_lost=lost)
    if state in _CONFLICTS:
        return Failure(cause=cause, away=True, undone=True, busy=True)
    if state in _SLOW:
        return Failure(cause=cause, away=True, busy=True)
    away = state in _AWAY or state[:2] in _AWAY_CLASSES
    return Failure(cause=cause, away=away, connection_lost=away)


def _told(cause: BaseException) -> str:
    """One line; a driver's message may have several, and names statements but never a password."""
    return str(cause).strip().partition("\n")[0] or type(cause).__name__

"""What the shared parts of both SQL stores need of their database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

P = ParamSpec("P")
T = TypeVar("T")


class SqlDatabase(Protocol):
    """Runs plain functions over a connection, each in a transaction of its own, without blocking the event loop.

    Contract: when the function returns, its transaction is committed, durably; when it raises, nothing of it remains.
    Errors of the driver that mean that the database is away come out as ``StoreUnavailable``, those that mean that
    another transaction holds what this one needs as ``StoreBusy``.
    """

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """All reads of ``work`` see one state of the database, or nearly so."""

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T: ...

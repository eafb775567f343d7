from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, cast

import psycopg
from psycopg import AsyncRawCursor
from psycopg.pq import ExecStatus
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from cronhook_core.backends.postgres.arrays import teach
from cronhook_core.backends.postgres.connecting import SESSION, TRANSITIONS, Connector, Session, cut_off_at
from cronhook_core.backends.postgres.failures import Failure, judged
from cronhook_core.backends.postgres.notifications import Notifications
from cronhook_core.backends.postgres.persistence import persist
from cronhook_core.backends.postgres.sessions import Sessions
from cronhook_core.errors import StoreUnavailable, Unavailable

ANSWER_WITHIN = 6.0
"""Seconds after which a call ends whatever the server does; a second more than a statement may take there."""
ASKED_ANSWER_WITHIN = 1.5
"""The same of a call that only asks whether there is a database."""
TRY_FOR = 2.0
"""Seconds for which a call that failed is begun anew."""

P = ParamSpec("P")
T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Isolation = Literal["AUTOCOMMIT"] | None


class PostgresDatabase:
    """The connections of one process to one Postgres database.

    Nothing connects before the first call, and a database that was away is used again by the next call: nobody needs to
    open anything anew. No error of the driver leaves: while the database is away every call raises ``StoreUnavailable``
    (or the error that it names) within 8 s; where another transaction holds a lock for too long, ``StoreBusy``.
    """

    def __init__(self, connector: Connector, *, pool_size: int, answer_within: float, random: Random) -> None:
        self._connector = connector
        self._answer_within = answer_within
        self._random = random
        self._engine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=lambda: connector.connect(SESSION, autocommit=False),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=answer_within,  # a queue is no outage
            pool_use_lifo=True,
            use_native_hstore=False,
            hide_parameters=True,
        )
        self._sessions = Sessions(self._open_session, pool_size)
        self.notifications = Notifications(lambda: connector.connect(SESSION), random, ask=self._ask)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database_url: str,
        *,
        through_pooler: bool = False,
        pool_size: int = 5,
        answer_within: float = ANSWER_WITHIN,
        random: Random | None = None,
    ) -> AsyncIterator[PostgresDatabase]:
        """``database_url`` begins with ``postgresql://`` and may say all that libpq understands.

        ``through_pooler``: PgBouncer, or another pooler in transaction mode, stands between. Then nothing is used that
        belongs to a session: no prepared statements, no LISTEN, and no settings, so that timeouts on the server must be
        set for the role. At most twice ``pool_size`` connections are opened, and one that listens. ``answer_within`` is
        how many seconds a call waits for a server that is connected and says nothing.
        """
        connector = Connector.to(database_url, through_pooler=through_pooler)
        database = cls(connector, pool_size=pool_size, answer_within=answer_within, random=random or Random())
        try:
            yield database
        finally:
            await database._close()

    @property
    def listens(self) -> bool:
        """Whether notifications can be heard at all; otherwise everything is found by polling."""
        return not self._connector.through_pooler

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work``, which only reads; each of its statements sees what is committed by then."""
        return await self._in_transaction("AUTOCOMMIT", lambda c: work(c, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work`` as one transaction.

        It is run again where it is certain that nothing was committed. A connection lost during the commit leaves that
        unknown, and raises.
        """
        return await self._in_transaction(None, lambda c: work(c, *args, **kwargs))

    async def execute(
        self,
        statement: str,
        parameters: Sequence[Any] = (),
        *,
        error: type[Unavailable] = StoreUnavailable,
        answer_within: float | None = None,
    ) -> Rows:
        """One statement, committed by itself, that does no harm when it is repeated: it is, after a lost answer.

        Parameters are ``$1``, ``$2`` and so on. Instants come back in UTC.
        """
        return await self.execute_all([(statement, parameters)], error=error, answer_within=answer_within)

    async def execute_all(
        self,
        statements: Sequence[tuple[str, Sequence[Any]]],
        *,
        error: type[Unavailable] = StoreUnavailable,
        answer_within: float | None = None,
    ) -> Rows:
        """As `execute`, with several statements in one transaction; the rows of the last."""
        deadline = _time() + (answer_within or self._answer_within)

        async def attempt() -> Rows:
            async with self._sessions.lend(deadline) as session:
                with cut_off_at(deadline, session):
                    return await _run(session, statements)

        until = min(deadline, _time() + TRY_FOR)
        return await persist(attempt, may_repeat=_harmless, until=until, random=self._random, error=error)

    async def _in_transaction(self, isolation: Isolation, work: Callable[[Connection], T]) -> T:
        deadline = _time() + self._answer_within
        transaction = _Transaction(self._engine, isolation, work, deadline)
        return await persist(
            transaction.attempt,
            may_repeat=transaction.may_repeat,
            until=min(deadline, _time() + TRY_FOR),
            random=self._random,
            error=StoreUnavailable,
        )

    async def _ask(self, error: type[Unavailable]) -> Rows:
        return await self.execute("SELECT 1", error=error, answer_within=ASKED_ANSWER_WITHIN)

    async def _open_session(self) -> Session:
        session = await self._connector.connect(TRANSITIONS)
        session.cursor_factory = AsyncRawCursor
        teach(session)
        return session

    async def _close(self) -> None:
        await self.notifications.close()
        await self._sessions.close()
        await self._engine.dispose()


class _Transaction(Generic[T]):
    """One call of `read` or `write`, which may take several attempts."""

    def __init__(
        self, engine: AsyncEngine, isolation: Isolation, work: Callable[[Connection], T], deadline: float
    ) -> None:
        self._engine = engine
        self._isolation = isolation
        self._work = work
        self._deadline = deadline
        self._committing = False

    async def attempt(self) -> T:
        self._committing = False
        async with self._engine.connect() as connection:
            with cut_off_at(self._deadline, _session_of(connection)):
                try:
                    return await self._run(connection)
                except DBAPIError as error:
                    if judged(error).connection_lost:
                        await connection.invalidate()
                    raise

    async def _run(self, connection: AsyncConnection) -> T:
        # Not by options of the engine: those are set while nobody yet answers for the connection, and the driver may
        # let others run in between. A caller that is cancelled there would leave it to the garbage collector.
        if self._isolation is not None:
            await connection.execution_options(isolation_level=self._isolation)
        async with connection.begin():
            result = await connection.run_sync(self._work)
            self._committing = True
        return result

    def may_repeat(self, failure: Failure) -> bool:
        return failure.undone or (failure.connection_lost and not self._committing)


def _session_of(connection: AsyncConnection) -> Session:
    assert connection.sync_connection is not None  # noqa: S101  # it is connected
    return cast("Session", connection.sync_connection.connection.driver_connection)


def _harmless(failure: Failure) -> bool:
    return failure.undone or failure.connection_lost


def _time() -> float:
    return asyncio.get_running_loop().time()


async def _run(session: Session, statements: Sequence[tuple[str, Sequence[Any]]]) -> Rows:
    if len(statements) == 1:
        return await _rows(session, *statements[0])
    async with session.pipeline(), session.transaction():  # all is sent at once: no lock waits for the network
        cursors = [await session.execute(statement, parameters, binary=True) for statement, parameters in statements]
        return await cursors[-1].fetchall()


async def _rows(session: Session, statement: str, parameters: Sequence[Any]) -> Rows:
    cursor = await session.execute(statement, parameters, binary=True)
    # Not by the cursor's description: that is an object for every column.
    if cursor.pgresult is None:
        raise psycopg.OperationalError("the statement was not answered")
    has_rows = cursor.pgresult.status == ExecStatus.TUPLES_OK
    return await cursor.fetchall() if has_rows else []

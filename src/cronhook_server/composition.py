"""Chooses the backends that the settings ask for, opens them in order and closes them in reverse. Nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random, SystemRandom

from attrs import evolve, frozen
from sqlalchemy.exc import SQLAlchemyError

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.header_vault import AesGcmHeaderVault
from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.backends.memory.rate_limiter import MemoryRateLimiter
from cronhook_core.backends.sql.database import SqlDatabase
from cronhook_core.backends.sql.migrations import check_schema, head_revision, upgrade
from cronhook_core.backends.sql.urls import is_sqlite, sqlite_path
from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore, SqliteLock
from cronhook_core.backends.sqlite.lock import RENEWALS
from cronhook_core.domain.key_derivation import key_id
from cronhook_core.domain.webhook import RESPONSE_BODY_READ_LIMIT, WebhookRequest, WebhookResult
from cronhook_core.engine.leadership import LeaseTimes
from cronhook_core.errors import ConfigurationError, QueueUnavailable, StoreUnavailable
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.header_vault import HeaderVault
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.lock import Lock
from cronhook_core.ports.queue import Queue
from cronhook_core.ports.rate_limiter import RateLimiter
from cronhook_core.ports.webhook_sender import WebhookSender
from cronhook_server.checks import Probe
from cronhook_server.guessing import SparedRateLimiter
from cronhook_server.metrics_page import ClockJump
from cronhook_server.secret_key import VARIABLE, secret_key_beside
from cronhook_server.settings import DatabasePooler, Settings

CLOCK_LOOKED_AT_EVERY = 0.5
"""Seconds between two looks of a process that waits until the server's clock is believed."""
_EVICTS = "Redis deletes keys when its memory is full, locks included; set maxmemory-policy to noeviction"


@frozen(kw_only=True)
class Backends:
    """Open backends. ``warnings`` is what the operator should know, one sentence each.

    ``clock_jump`` tells how far a server's clock jumped, while that is not believed; None: the clock is this machine's.
    ``renewals`` is how often the leader's lease is renewed within its life.
    """

    store: JobStore
    accounts: AccountStore
    queue: Queue
    lock: Lock
    clock: Clock
    rate_limiter: RateLimiter
    probes: tuple[Probe, ...]
    warnings: tuple[str, ...] = ()
    clock_jump: ClockJump | None = None
    renewals: int = 5

    @property
    def doubts_clock(self) -> bool:
        """Whether the server's clock says something now that is not believed."""
        return self.clock_jump is not None and self.clock_jump() is not None


def memory_backends(clock: Clock) -> Backends:
    """Backends of this process alone, which end with it and need no closing: for tests."""
    from cronhook_core.backends.memory.account_store import MemoryAccountStore
    from cronhook_core.backends.memory.database import MemoryDatabase
    from cronhook_core.backends.memory.job_store import MemoryJobStore
    from cronhook_core.backends.memory.lock import MemoryLock

    database = MemoryDatabase()
    store = MemoryJobStore(database)
    return Backends(
        store=store,
        accounts=MemoryAccountStore(database),
        queue=MemoryQueue(clock),
        lock=MemoryLock(clock),
        clock=clock,
        rate_limiter=MemoryRateLimiter(clock),
        probes=(Probe(name="database", check=store.ping, vital=True),),
    )


@asynccontextmanager
async def open_backends(
    settings: Settings, random: Random, *, secret_key: str | None = None
) -> AsyncIterator[Backends]:
    """The backends of the settings.

    With ``secret_key``, `ConfigurationError` where the database was made with another one.

    A SQLite file is made and migrated; a Postgres database must answer and have its schema (`SchemaMismatch`). Redis,
    where it is set, carries the queue and the lock; it may be away.
    """
    on_sqlite = is_sqlite(settings.database_url)
    async with AsyncExitStack() as stack:
        opened = _on_sqlite(settings.database_url) if on_sqlite else _on_postgres(settings, random)
        backends = await stack.enter_async_context(opened)
        if settings.redis_url is not None:
            backends = await stack.enter_async_context(_with_redis(backends, settings, settings.redis_url, random))
        if secret_key is not None:
            await _check_secret_key(backends.accounts, secret_key)
        yield backends


async def _check_secret_key(accounts: AccountStore, secret_key: str) -> None:
    """With another secret no API key is known, receivers refuse every signature, and secret headers stay sealed."""
    own = key_id(secret_key)
    stored = await accounts.remember_key_id(own)
    if stored != own:
        raise ConfigurationError(
            VARIABLE,
            f"is not the secret that this database was made with (its key is {stored}, this one {own}); give that one"
            " back (a SQLite file has it in a file NAME.key beside it), or, where it is lost, run"
            " `cronhook migrate --new-secret-key` and make new API keys",
        )


async def accept_secret_key(settings: Settings) -> str:
    """Let the database follow the secret of the settings from now on, whatever it was made with; the key's id."""
    async with open_backends(settings, SystemRandom()) as backends:
        return await backends.accounts.remember_key_id(key_id(secret_key_of(settings)), anew=True)


@asynccontextmanager
async def _on_sqlite(database_url: str) -> AsyncIterator[Backends]:
    clock = SystemClock()
    async with SqliteDatabase.open(database_url) as database:
        store = SqliteJobStore(database)
        yield Backends(
            store=store,
            accounts=SqliteAccountStore(database),
            queue=MemoryQueue(clock),
            lock=SqliteLock(database, clock),
            clock=clock,
            rate_limiter=MemoryRateLimiter(clock),
            probes=_probes(store.ping, database),
            warnings=_schema_warnings(database.newer_schema),
            renewals=RENEWALS,
        )


@asynccontextmanager
async def _on_postgres(settings: Settings, random: Random) -> AsyncIterator[Backends]:
    from cronhook_core.backends.postgres.account_store import PostgresAccountStore
    from cronhook_core.backends.postgres.clock import PostgresClock
    from cronhook_core.backends.postgres.database import PostgresDatabase
    from cronhook_core.backends.postgres.job_store import PostgresJobStore
    from cronhook_core.backends.postgres.lock import PostgresLock
    from cronhook_core.backends.postgres.queue import PostgresQueue

    async with AsyncExitStack() as stack:
        pooled = settings.database_pooler is DatabasePooler.TRANSACTION
        opening = PostgresDatabase.open(settings.database_url, through_pooler=pooled, random=random)
        database = await stack.enter_async_context(opening)
        newer_schema = await database.read(check_schema)
        clock = PostgresClock(database)
        await clock.sync()
        clock.start()
        stack.push_async_callback(clock.stop)
        store = PostgresJobStore(database)
        yield Backends(
            store=store,
            accounts=PostgresAccountStore(database),
            queue=PostgresQueue(database, clock=clock),
            lock=PostgresLock(database, clock),
            clock=clock,
            rate_limiter=MemoryRateLimiter(clock),
            probes=_probes(store.ping, database),
            warnings=_schema_warnings(newer_schema),
            clock_jump=lambda: clock.refused_jump,
        )


@asynccontextmanager
async def _with_redis(backends: Backends, settings: Settings, url: str, random: Random) -> AsyncIterator[Backends]:
    from cronhook_core.backends.redis.connection import RedisConnection
    from cronhook_core.backends.redis.lock import RedisLock
    from cronhook_core.backends.redis.queue import RedisQueue
    from cronhook_core.backends.redis.rate_limiter import RedisRateLimiter

    try:
        redis = RedisConnection.open(url, settings.redis_prefix, clock=backends.clock, random=random)
    except ValueError:  # its words may repeat the password
        raise ConfigurationError("CRONHOOK_REDIS_URL", "can never work: check its host, port and options") from None
    async with AsyncExitStack() as stack:
        stack.push_async_callback(redis.close)
        evicts = False
        with suppress(QueueUnavailable):
            evicts = await redis.may_delete_keys()
        yield evolve(
            backends,
            queue=RedisQueue(redis),
            lock=RedisLock(redis),
            renewals=LeaseTimes().renewals,
            rate_limiter=SparedRateLimiter(RedisRateLimiter(redis), backends.rate_limiter),
            probes=(*backends.probes, Probe(name="redis", check=redis.ping, vital=False)),
            warnings=(*backends.warnings, *((_EVICTS,) if evicts else ())),
        )


def _probes(ping: Callable[[], Awaitable[None]], database: SqlDatabase) -> tuple[Probe, ...]:
    """The schema is asked for, too: a database may be emptied, or an older copy put back, under a running server."""
    return (
        Probe(name="database", check=ping, vital=True),
        Probe(name="schema", check=lambda: database.read(check_schema), vital=True, for_readiness=True),
    )


def _schema_warnings(newer_schema: str | None) -> tuple[str, ...]:
    if newer_schema is None:
        return ()
    return (f"the database has the schema {newer_schema} of a later version of cronhook; update this one",)


@asynccontextmanager
async def open_sender(settings: Settings) -> AsyncIterator[WebhookSender]:
    """What sends webhooks, to public addresses and what the settings open, but for what they deny."""
    async with AiohttpSender(settings.allowed_targets, denied=settings.denied_targets) as sender:
        yield sender


def header_vault(secret_key: str) -> HeaderVault:
    """What encrypts secret headers."""
    return AesGcmHeaderVault(secret_key)


def result_of_answer(request: WebhookRequest, status: int, headers: Mapping[str, str], body: bytes) -> WebhookResult:
    """What is made of an answer that came without a connection: for tests. Names of ``headers`` are in lower case."""
    from cronhook_core.backends.http.answer import result_of

    return result_of(request, status, headers, bytearray(body), complete=len(body) <= RESPONSE_BODY_READ_LIMIT)


def migrate(settings: Settings) -> tuple[str, str]:
    """Bring the database of the settings to the schema of this version, unless a later one made it.

    The revisions that it has then, and that this version needs.
    """
    try:
        return upgrade(settings.database_url), head_revision()
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database cannot be migrated: {getattr(error, 'orig', error)}") from error


def sqlite_file_of(settings: Settings) -> Path | None:
    """The SQLite file that the settings name; None where the database is another one."""
    return Path(sqlite_path(settings.database_url)) if is_sqlite(settings.database_url) else None


def secret_key_of(settings: Settings) -> str:
    """The secret that everything is derived from; beside a SQLite file it is made where it is missing."""
    if settings.secret_key is not None:
        return settings.secret_key
    database = sqlite_file_of(settings)
    if database is not None:
        if not database.parent.is_dir():
            raise ConfigurationError("CRONHOOK_DATABASE_URL", f"there is no folder {database.parent}")
        return secret_key_beside(database)
    raise ConfigurationError(VARIABLE, "is required with Postgres: any text of at least 32 characters, kept for good")

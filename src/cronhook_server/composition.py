"""Chooses the backends that the settings ask for, opens them in order and closes them in reverse. Nothing else does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from attrs import frozen
from sqlalchemy.exc import SQLAlchemyError

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.backends.sql.migrations import head_revision, upgrade
from cronhook_core.backends.sql.urls import is_sqlite, sqlite_path
from cronhook_core.errors import ConfigurationError, StoreUnavailable
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.lock import Lock
from cronhook_core.ports.queue import Queue
from cronhook_core.ports.webhook_sender import WebhookSender
from cronhook_server.secret_key import VARIABLE, secret_key_beside
from cronhook_server.services import Probe
from cronhook_server.settings import Settings


@frozen(kw_only=True)
class Backends:
    """Open backends. ``newer_schema`` is the schema of a database that a later version has migrated, else None."""

    store: JobStore
    accounts: AccountStore
    queue: Queue
    lock: Lock
    clock: Clock
    probes: tuple[Probe, ...]
    newer_schema: str | None = None


@asynccontextmanager
async def open_backends(settings: Settings, random: Random) -> AsyncIterator[Backends]:
    """The backends of the settings. A SQLite file is made and migrated; a Postgres database must have its schema."""
    async with AsyncExitStack() as stack:
        if not is_sqlite(settings.database_url):
            raise ConfigurationError("CRONHOOK_DATABASE_URL", "only SQLite for now")
        backends = await stack.enter_async_context(_open_sqlite(settings))
        yield backends


@asynccontextmanager
async def _open_sqlite(settings: Settings) -> AsyncIterator[Backends]:
    from cronhook_core.backends.sqlite import (
        SqliteAccountStore,
        SqliteDatabase,
        SqliteJobStore,
        SqliteLock,
    )

    clock = SystemClock()
    async with SqliteDatabase.open(settings.database_url) as database:
        store = SqliteJobStore(database)
        yield Backends(
            store=store,
            accounts=SqliteAccountStore(database),
            queue=MemoryQueue(clock),
            lock=SqliteLock(database, clock),
            clock=clock,
            probes=(Probe(name="database", check=store.ping, vital=True),),
            newer_schema=database.newer_schema,
        )


@asynccontextmanager
async def open_sender(settings: Settings) -> AsyncIterator[WebhookSender]:
    """What sends webhooks, to public addresses and what the settings open."""
    async with AiohttpSender(settings.allowed_targets) as sender:
        yield sender


def migrate(settings: Settings) -> str:
    """Bring the database of the settings to the schema of this version; its revision."""
    try:
        upgrade(settings.database_url)
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database cannot be migrated: {getattr(error, 'orig', error)}") from error
    return head_revision()


def secret_key_of(settings: Settings) -> str:
    """The secret that everything is derived from; beside a SQLite file it is made where it is missing."""
    if settings.secret_key is not None:
        return settings.secret_key
    if is_sqlite(settings.database_url):
        return secret_key_beside(Path(sqlite_path(settings.database_url)))
    raise ConfigurationError(VARIABLE, "is required with Postgres: any text of at least 32 characters, kept for good")

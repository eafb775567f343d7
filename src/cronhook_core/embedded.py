"""cronhook inside a user's own asyncio program, without a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random, SystemRandom

from attrs import field, frozen

from cronhook_core.backends.clocks import SystemClock
from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.ids import new_id
from cronhook_core.domain.key_derivation import MIN_SECRET_KEY_LENGTH
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.domain.workspace import Workspace
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.job_service import JobService
from cronhook_core.engine.leadership import LeaseTimes
from cronhook_core.engine.scheduler import Scheduler, SchedulerOptions
from cronhook_core.engine.worker import Worker, WorkerOptions
from cronhook_core.ports.account_store import AccountStore
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks, NoHooks
from cronhook_core.ports.header_vault import HeaderVault
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.lock import Lock
from cronhook_core.ports.webhook_sender import WebhookSender

_log = logging.getLogger(__name__)

USER_AGENT = "cronhook-embedded"
WORKSPACE_NAME = "default"


@frozen(kw_only=True)
class Embedded:
    """A running engine: ``jobs`` is where jobs are stored and read, all in the workspace ``workspace_id``."""

    jobs: JobService
    workspace_id: str
    scheduler: Scheduler
    worker: Worker


@frozen(kw_only=True)
class _Stores:
    jobs: JobStore
    accounts: AccountStore
    lock: Lock
    lease: LeaseTimes = field(factory=LeaseTimes)


@asynccontextmanager
async def embedded(
    sender: WebhookSender | None = None,
    *,
    database: Path | str | None = None,
    signing_secrets: Sequence[bytes] = (),
    secret_key: str | None = None,
    targets: TargetPolicy | None = None,
    clock: Clock | None = None,
    hooks: EngineHooks | None = None,
    random: Random | None = None,
    scheduler: SchedulerOptions | None = None,
    worker: WorkerOptions | None = None,
) -> AsyncIterator[Embedded]:
    """Run scheduler and worker in this event loop while the block is open.

    ``sender`` is any async function that takes a `WebhookRequest` and returns a `WebhookResult`; None sends real
    webhooks (extra ``webhooks``) to public addresses and to what ``targets`` opens. ``database`` is the path of a
    SQLite file that several processes may share (extra ``sqlite``); None keeps everything in memory. With
    ``signing_secrets`` requests are signed. With ``secret_key``, at least 32 characters that stay the same for good,
    values of secret headers are stored encrypted (extra ``webhooks``); without it, as they are. Leaving the block waits
    for sends under way, at most the drain time.
    """
    if not all(isinstance(secret, bytes) for secret in signing_secrets):
        raise TypeError("signing_secrets is a sequence of bytes")
    hooks, clock, random = hooks or NoHooks(), clock or SystemClock(), random or SystemRandom()
    async with AsyncExitStack() as stack:
        policy = targets or (TargetPolicy() if sender is None else None)
        send = sender
        if send is None:
            send = await stack.enter_async_context(_webhook_sender(policy or TargetPolicy()))
        stores = await stack.enter_async_context(_stores(database, clock))
        queue = MemoryQueue(clock)
        dependencies = Dependencies(hooks, random)
        keys = _FixedKeys(tuple(signing_secrets)) if signing_secrets else None
        vault = _header_vault(secret_key) if secret_key is not None else None
        engine = Embedded(
            jobs=JobService(stores.jobs, queue, clock=clock, random=random, targets=policy, vault=vault, hooks=hooks),
            workspace_id=await _default_workspace(stores.accounts, clock, random),
            scheduler=Scheduler(
                stores.jobs,
                queue,
                stores.lock,
                clock=clock,
                hooks=hooks,
                dependencies=dependencies,
                options=scheduler or SchedulerOptions(lease=stores.lease),
            ),
            worker=Worker(
                stores.jobs,
                queue,
                Delivery(send, keys=keys, clock=clock, random=random, user_agent=USER_AGENT, vault=vault),
                clock=clock,
                hooks=hooks,
                random=random,
                dependencies=dependencies,
                options=worker,
            ),
        )
        engine.worker.start()
        stack.push_async_callback(_stop, engine.worker)
        engine.scheduler.start()
        stack.push_async_callback(_stop, engine.scheduler)
        yield engine


async def _stop(part: Scheduler | Worker) -> None:
    """In order; where the caller is cancelled meanwhile, at once. Nothing may be closed under what still runs."""
    try:
        await part.stop()
    except asyncio.CancelledError:
        ending = asyncio.ensure_future(part.stop(at_once=True))
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([ending])
        raise


async def _default_workspace(accounts: AccountStore, clock: Clock, random: Random) -> str:
    now = clock.now()
    made = Workspace(id=new_id("wsp", now, random), name=WORKSPACE_NAME, created_at=now)
    return (await accounts.ensure_workspace(made)).id


@asynccontextmanager
async def _stores(database: Path | str | None, clock: Clock) -> AsyncIterator[_Stores]:
    if database is None:
        memory = MemoryDatabase()
        yield _Stores(jobs=MemoryJobStore(memory), accounts=MemoryAccountStore(memory), lock=MemoryLock(clock))
        return
    async with _sqlite_stores(Path(database), clock) as stores:
        yield stores


@asynccontextmanager
async def _sqlite_stores(path: Path, clock: Clock) -> AsyncIterator[_Stores]:
    from cronhook_core.backends.sqlite import SqliteAccountStore, SqliteDatabase, SqliteJobStore, SqliteLock
    from cronhook_core.backends.sqlite.lock import RENEWALS

    async with SqliteDatabase.open(path) as file:
        if file.newer_schema is not None:
            _log.warning("%s was made by a later version of cronhook (schema %s)", path, file.newer_schema)
        yield _Stores(
            jobs=SqliteJobStore(file),
            accounts=SqliteAccountStore(file),
            lock=SqliteLock(file, clock),
            lease=LeaseTimes(renewals=RENEWALS),
        )


@asynccontextmanager
async def _webhook_sender(targets: TargetPolicy) -> AsyncIterator[WebhookSender]:
    from cronhook_core.backends.http.sender import AiohttpSender

    async with AiohttpSender(targets.allowed, denied=targets.denied) as sender:
        yield sender


def _header_vault(secret_key: str) -> HeaderVault:
    from cronhook_core.backends.header_vault import AesGcmHeaderVault

    if len(secret_key) < MIN_SECRET_KEY_LENGTH:
        raise ValueError(f"secret_key has at least {MIN_SECRET_KEY_LENGTH} characters")
    return AesGcmHeaderVault(secret_key)


@frozen
class _FixedKeys:
    _secrets: tuple[bytes, ...]

    async def secrets(self, workspace_id: str) -> Sequence[bytes]:
        return self._secrets

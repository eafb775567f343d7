"""What the demo plays on: a real engine on a SQLite file that is gone afterwards."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

from attrs import frozen

from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.claim import AttemptReport, Claim, Verdict
from cronhook_core.domain.signature import derive_signing_secret
from cronhook_core.engine.job_service import JobService
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_server.assembly import Assembly
from cronhook_server.composition import open_backends, open_sender
from cronhook_server.demo.receiver import HOST, Receiver
from cronhook_server.settings import Settings
from cronhook_server.signing import FIRST_VERSION

WORKSPACE_NAME = "demo"


@frozen(kw_only=True)
class Ended:
    """An attempt that has ended, and what its receiver saw."""

    claim: Claim
    report: AttemptReport
    verdict: Verdict
    verified: bool


class _Watching(NoHooks):
    def __init__(self, receiver: Receiver) -> None:
        self.ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._receiver = receiver

    def attempt_finished(self, claim: Claim, report: AttemptReport, verdict: Verdict) -> None:
        verified = self._receiver.verified.get((claim.execution_id, claim.attempt_no), False)
        self.ended.put_nowait(Ended(claim=claim, report=report, verdict=verdict, verified=verified))


@frozen(kw_only=True)
class Stage:
    """``ended`` tells of attempts as they end."""

    jobs: JobService
    clock: Clock
    workspace_id: str
    receiver: Receiver
    ended: asyncio.Queue[Ended]


@asynccontextmanager
async def stage(receiver: Receiver) -> AsyncIterator[Stage]:
    """A running engine that may call this receiver and nothing else of this machine."""
    random, secret_key = SystemRandom(), secrets.token_urlsafe(48)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cronhook-demo-")))
        await stack.enter_async_context(receiver.listening())
        settings = Settings(
            database_url=f"sqlite:///{folder / 'cronhook.db'}",
            allowed_targets=AllowedTargets.parse(f"{HOST}/32:{receiver.port}"),
        )
        backends = await stack.enter_async_context(open_backends(settings, random))
        sender = await stack.enter_async_context(open_sender(settings))
        hooks = _Watching(receiver)
        assembly = Assembly(backends, settings, secret_key=secret_key, hooks=hooks, random=random)
        workspace = await assembly.keys().workspace(WORKSPACE_NAME)
        receiver.secrets = [derive_signing_secret(secret_key, workspace_id=workspace.id, version=FIRST_VERSION)]
        scheduler, worker = assembly.scheduler(), assembly.worker(sender)
        for service in (worker, scheduler):
            service.start()
            stack.push_async_callback(service.stop)
        yield Stage(
            jobs=assembly.jobs(),
            clock=backends.clock,
            workspace_id=workspace.id,
            receiver=receiver,
            ended=hooks.ended,
        )

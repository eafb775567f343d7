"""Orderly stops of workers during one slow send: an execution outlives any number of them."""

import asyncio
from datetime import timedelta
from random import Random

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import MAX_LOSSES, ExecutionStatus
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.worker import Worker, WorkerOptions
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks
from cronhook_core.testing.scripted_sender import ScriptedSender

GRACE = 15
DEPLOYS = MAX_LOSSES + 2
DELAYS = RetryPolicy(delays=(timedelta(seconds=1),) * 3)


class Deployment:
    """Starts one worker after the other on one store; the receiver answers nobody until `sender` lets go."""

    def __init__(self, answer: int = 200) -> None:
        self.clock, self.hooks, database = ManualClock(NOW), RecordingHooks(), MemoryDatabase()
        self.store, self.queue = MemoryJobStore(database), MemoryQueue(self.clock)
        self.scene = Scene(self.store, MemoryAccountStore(database))
        self.sender = ScriptedSender(default=answer)
        self.sender.hold()

    def start(self) -> Worker:
        random = Random(1)
        worker = Worker(
            self.store,
            self.queue,
            Delivery(self.sender, keys=None, clock=self.clock, random=random, user_agent="tests"),
            clock=self.clock,
            hooks=self.hooks,
            random=random,
            dependencies=Dependencies(self.hooks, random),
            options=WorkerOptions(drain_timeout=timedelta(seconds=GRACE)),
        )
        worker.start()
        return worker

    async def interrupt_request(self, number: int) -> None:
        """A worker sends the request with this number, and is stopped before the receiver answers."""
        worker = self.start()
        await self.clock.advance_until(lambda: len(self.sender.requests) == number, at_most=2)
        await self.stop(worker)

    async def stop(self, worker: Worker) -> None:
        """As by SIGTERM; returns when the worker has ended."""
        stopping = asyncio.create_task(worker.stop())
        await self.clock.advance(GRACE + 1)
        await stopping


async def test_deploys_during_one_slow_send_burn_no_retry_and_are_no_losses() -> None:
    deployment = Deployment()
    clock, scene, sender = deployment.clock, deployment.scene, deployment.sender
    execution = await scene.queued(await scene.job(timeout=timedelta(minutes=1), retry_policy=DELAYS))
    for number in range(1, DEPLOYS + 1):
        await deployment.interrupt_request(number)
        stored = await scene.now_of(execution)
        assert (stored.status, stored.reason) == (ExecutionStatus.QUEUED, None)
    assert (stored.losses, stored.retries_used) == (0, 0)
    assert [attempt.status for attempt in await scene.attempts(execution)] == ["interrupted"] * DEPLOYS
    sender.let_go()
    worker = deployment.start()
    await clock.advance(2)
    await deployment.stop(worker)
    assert (await scene.now_of(execution)).status is ExecutionStatus.SUCCEEDED
    attempts = [dict(request.headers)["cronhook-attempt"] for request in sender.requests]
    assert attempts == [str(number) for number in range(1, DEPLOYS + 2)]


async def test_it_ends_by_its_own_retries_however_often_it_was_interrupted() -> None:
    deployment = Deployment(500)
    clock, scene, sender = deployment.clock, deployment.scene, deployment.sender
    execution = await scene.queued(await scene.job(retry_policy=DELAYS))
    for number in range(1, DEPLOYS + 1):
        await deployment.interrupt_request(number)
        stored = await scene.now_of(execution)
        assert (stored.status, stored.reason) == (ExecutionStatus.QUEUED, None)
    sender.let_go()
    worker = deployment.start()
    await clock.advance(10)
    await deployment.stop(worker)
    stored = await scene.now_of(execution)
    assert (stored.status, stored.reason) == (ExecutionStatus.FAILED, "retries_exhausted")
    assert (stored.retries_used, stored.losses) == (len(DELAYS.delays), 0)


async def test_what_was_cut_off_of_a_paused_job_is_cancelled() -> None:
    deployment = Deployment()
    job = await deployment.scene.job()
    execution = await deployment.scene.planned(job)
    worker = deployment.start()
    await deployment.clock.advance_until(lambda: len(deployment.sender.requests) == 1, at_most=70)
    await deployment.scene.pause(job)
    await deployment.stop(worker)
    stored = await deployment.scene.now_of(execution)
    assert (stored.status, stored.reason) == (ExecutionStatus.CANCELLED, "paused")

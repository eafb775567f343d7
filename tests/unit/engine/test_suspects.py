"""What was lost twice is sent alone; the next one follows when its result is written."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import cast

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import ExecutionStatus, QueueMessage
from cronhook_core.domain.webhook import WebhookRequest, WebhookResult
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.intake import Intake
from cronhook_core.engine.sends import Sends
from cronhook_core.engine.worker import Worker
from cronhook_core.engine.worker_life import WorkerLife
from cronhook_core.ports.clock import Clock
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks
from cronhook_core.testing.scripted_sender import ScriptedSender

COUNT = 20
TAKES = 0.1


class Slow:
    """Answers after some time, and knows how many requests were under way at once, at most."""

    def __init__(self, clock: Clock) -> None:
        self.most = 0
        self._clock = clock
        self._now = 0
        self._answers = ScriptedSender()

    async def __call__(self, request: WebhookRequest) -> WebhookResult:
        self._now += 1
        self.most = max(self.most, self._now)
        await self._clock.sleep(TAKES)
        self._now -= 1
        return await self._answers(request)


async def test_suspects_follow_one_another_without_a_pause() -> None:
    clock, hooks, database, random = ManualClock(NOW), RecordingHooks(), MemoryDatabase(), Random(1)
    store = MemoryJobStore(database)
    scene, sender = Scene(store, MemoryAccountStore(database)), Slow(clock)
    suspects = [await scene.suspect(await scene.job()) for _ in range(COUNT)]
    delivery = Delivery(sender, keys=None, clock=clock, random=random, user_agent="tests")
    dependencies = Dependencies(hooks, random)
    queue = MemoryQueue(clock)
    worker = Worker(store, queue, delivery, clock=clock, random=random, hooks=hooks, dependencies=dependencies)
    worker.start()
    await clock.advance(1 + COUNT * TAKES * 1.5)
    ended = [await store.get_execution(one.workspace_id, one.id) for one in suspects]
    await worker.stop(at_once=True)
    assert {one.status for one in ended} == {ExecutionStatus.SUCCEEDED}
    assert sender.most == 1
    assert clock.now() < NOW + timedelta(seconds=COUNT)


class Asked(MemoryJobStore):
    """Counts the looks, each of which ends when it may."""

    def __init__(self) -> None:
        super().__init__(MemoryDatabase())
        self.looks = 0
        self.may_end = asyncio.Event()

    async def ready(self, *_: object, **__: object) -> Sequence[QueueMessage]:
        self.looks += 1
        await self.may_end.wait()
        return []


async def test_a_look_that_is_asked_for_during_a_look_is_not_lost() -> None:
    clock, hooks, store = ManualClock(NOW), RecordingHooks(), Asked()
    intake = Intake(
        store,
        MemoryQueue(clock),
        cast("Sends", SimpleNamespace(holds_suspect=True)),
        cast("WorkerLife", SimpleNamespace(trusted=True, worker_id="wrk_1")),
        clock=clock,
        hooks=hooks,
        dependencies=Dependencies(hooks, Random(1)),
        concurrency=10,
    )
    under_way = asyncio.create_task(intake.run_once())
    await asyncio.sleep(0)
    intake.look_again()
    store.may_end.set()
    await under_way
    await intake.run_once()
    assert store.looks == 2
    await intake.run_once()
    assert store.looks == 2

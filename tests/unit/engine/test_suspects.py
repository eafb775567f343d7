"""What was lost twice is sent alone; the next one follows when its result is written."""

from datetime import timedelta
from random import Random

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.webhook import WebhookRequest, WebhookResult
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.delivery import Delivery
from cronhook_core.engine.worker import Worker
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

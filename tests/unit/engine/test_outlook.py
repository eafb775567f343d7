"""What a planner asks of the store to know that nothing is due, and when something is."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.domain.job import JobDefinition
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.embedded import embedded
from cronhook_core.engine.outlook import FIRST_LOOK_BACK, Outlook
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.scripted_sender import ScriptedSender

AT_ONCE = 2
SECOND = timedelta(seconds=1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a planner asked which question. Workers ask ``ready`` too, without ``after``."""
    questions: Counter[str] = Counter()

    def counting(name: str, question: Callable[..., Any]) -> Callable[..., Any]:
        async def ask(*arguments: Any, **options: Any) -> Any:
            questions[name] += name != "ready" or options.get("after") is not None
            return await question(*arguments, **options)

        return ask

    for name in ("next_due", "ready", "due_jobs"):
        monkeypatch.setattr(MemoryJobStore, name, counting(name, getattr(MemoryJobStore, name)))
    return questions


@pytest.fixture
def scene() -> Scene:
    database = MemoryDatabase()
    return Scene(MemoryJobStore(database), MemoryAccountStore(database))


@pytest.fixture
def outlook(scene: Scene) -> Outlook:
    return Outlook(scene.store, AT_ONCE)


async def test_a_planner_with_nothing_to_do_asks_one_question_a_second(asked: Counter[str]) -> None:
    clock = ManualClock(NOW)
    async with embedded(ScriptedSender(), clock=clock, random=Random(1)) as engine:
        far = OneTimeSchedule(NOW + timedelta(days=1))
        await engine.jobs.create(
            engine.workspace_id, JobDefinition(name="far", schedule=far, callback_url="https://receiver.example/")
        )
        await clock.advance(0.5)
        asked.clear()
        await clock.advance(60)
    assert +asked == {"next_due": 60}


async def test_what_is_known_to_be_due_is_not_asked_for(scene: Scene, outlook: Outlook, asked: Counter[str]) -> None:
    await scene.job(schedule=OneTimeSchedule(NOW + SECOND), created_at=NOW)
    assert not await outlook.is_due(NOW)
    assert outlook.due_at == NOW + SECOND
    asked.clear()
    assert await outlook.is_due(NOW + SECOND)
    assert not +asked


async def test_what_is_due_sooner_than_was_known_is_found(scene: Scene, outlook: Outlook) -> None:
    await scene.job(schedule=OneTimeSchedule(NOW + 9 * SECOND), created_at=NOW)
    assert not await outlook.is_due(NOW)
    await scene.job(schedule=OneTimeSchedule(NOW + SECOND), created_at=NOW)
    assert await outlook.is_due(NOW + 2 * SECOND)


@pytest.mark.parametrize("step", [timedelta(microseconds=1), SECOND, timedelta(hours=1)])
async def test_each_execution_is_newly_available_once(scene: Scene, outlook: Outlook, step: timedelta) -> None:
    """However the looks fall: also where one of them comes at the very instant."""
    job = await scene.job(schedule=OneTimeSchedule(NOW + timedelta(days=9)), created_at=NOW)
    assert not await outlook.is_due(NOW)
    instants = [NOW + number * step for number in (1, 2, 4)]
    executions = [await scene.queued(job, at=at) for at in instants]
    found = list[str]()
    for number in range(1, 8):
        found += await looked(outlook, NOW + number * step / 2)
    found += await looked(outlook, NOW + 5 * step)
    assert found == [execution.id for execution in executions]


async def test_a_planner_that_begins_looks_back_a_little(scene: Scene, outlook: Outlook) -> None:
    job = await scene.job(schedule=OneTimeSchedule(NOW + timedelta(days=9)), created_at=NOW)
    await scene.queued(job, at=NOW - FIRST_LOOK_BACK)
    recent = await scene.queued(job, at=NOW)
    assert await looked(outlook, NOW) == [recent.id]


async def looked(outlook: Outlook, now: datetime) -> list[str]:
    """What one pass offers to workers."""
    if not await outlook.is_due(now):
        return []
    found = await outlook.newly_available(now)
    await outlook.look_ahead(now)
    return [message.execution_id for message in found]

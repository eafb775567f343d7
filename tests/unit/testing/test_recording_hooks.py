import asyncio
import inspect
from datetime import timedelta

import pytest

from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.recording_hooks import RecordingHooks


def test_every_hook_is_recorded_with_its_arguments() -> None:
    hooks: EngineHooks = RecordingHooks()
    names = [name for name, _ in inspect.getmembers(EngineHooks, inspect.isfunction) if not name.startswith("_")]
    for name in names:
        hook = getattr(hooks, name)
        hook(*[()] * len(inspect.signature(hook).parameters))
    assert len(names) == 17
    assert [event[0] for event in hooks.events] == names
    assert all(len(event) > 1 for event in hooks.events)


async def test_one_can_wait_for_what_is_to_come() -> None:
    hooks = RecordingHooks()
    waiting = asyncio.create_task(hooks.wait_for("worker_buried", 2))
    hooks.worker_buried("wrk_1", NOW)
    hooks.overdue_found(timedelta(seconds=4), 1)
    await asyncio.sleep(0)
    assert not waiting.done()
    hooks.worker_buried("wrk_2", NOW)
    assert await waiting == [("wrk_1", NOW), ("wrk_2", NOW)]
    assert await hooks.wait_for("worker_buried") == hooks.named("worker_buried")


async def test_what_does_not_come_is_told_with_what_came() -> None:
    hooks = RecordingHooks()
    hooks.leadership_changed(True, "the lease was free")
    with pytest.raises(AssertionError, match=r"no 1 of worker_buried .*leadership_changed"):
        await hooks.wait_for("worker_buried", within=0.01)

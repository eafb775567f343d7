"""The floor under the queue: what could be claimed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cronhook_core.domain.execution import QueueMessage, Trigger
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, retry
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

MICROSECOND = timedelta(microseconds=1)


class Ready(JobStoreSuite):
    async def test_nothing_is_ready_in_an_empty_store(self, store: JobStore) -> None:
        assert list(await store.ready(LATER, 10)) == []

    async def test_an_execution_is_ready_from_its_instant_on(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job(), at=NOW)
        assert list(await scene.store.ready(NOW - MICROSECOND, 10)) == []
        assert list(await scene.store.ready(NOW, 10)) == [QueueMessage.of(execution)]
        assert list(await scene.store.ready(LATER, 10)) == [QueueMessage.of(execution)]

    async def test_a_planned_one_is_ready_as_it_was_planned(self, scene: Scene) -> None:
        execution = await scene.planned(await scene.job(host="other.example"))
        assert list(await scene.store.ready(LATER, 10)) == [QueueMessage.of(execution)]

    async def test_they_come_oldest_first_up_to_the_limit(self, scene: Scene) -> None:
        job = await scene.job()
        made = {n: await scene.queued(job, at=LATER, available_at=NOW + n * MINUTE) for n in (5, 1, 4, 2, 3)}
        wanted = [made[n].id for n in (1, 2, 3, 4, 5)]
        assert await self._ready(scene.store) == wanted
        assert [message.execution_id for message in await scene.store.ready(LATER, 2)] == wanted[:2]

    async def test_what_runs_waits_or_ended_is_not_ready(self, scene: Scene) -> None:
        job = await scene.job()
        running, waiting = await scene.running(job), await scene.running(job)
        cancelled = await scene.queued(job)
        await scene.store.finish([retry(waiting, LATER)], LATER)
        await scene.store.cancel_execution(job.workspace_id, cancelled.id, now=LATER)
        assert await self._ready(scene.store) == []
        [message] = await scene.store.ready(LATER + MINUTE, 10)
        assert (message.execution_id, message.attempt) == (waiting.execution_id, 2)
        assert running.execution_id != waiting.execution_id

    @pytest.mark.parametrize(("trigger", "ready"), [(Trigger.SCHEDULE, False), (Trigger.MANUAL, True)])
    async def test_scheduled_ones_of_a_paused_job_are_not(self, scene: Scene, trigger: Trigger, ready: bool) -> None:
        execution = await scene.left_queued_by_a_pause(trigger)
        assert await self._ready(scene.store) == ([execution.id] if ready else [])

    async def test_those_of_skipped_hosts_and_workspaces_are_left_out(self, scene: Scene) -> None:
        other = (await scene.another_workspace()).id
        by_host = {
            host: await scene.queued(await scene.job(host=host), at=NOW + index * MICROSECOND)
            for index, host in enumerate(("a.example", "b.example", "c.example"))
        }
        foreign = await scene.queued(await scene.job(workspace_id=other, host="a.example"), at=LATER)
        everything = [*(e.id for e in by_host.values()), foreign.id]
        assert await self._ready(scene.store) == everything
        assert await self._ready(scene.store, skip_hosts=["a.example", "c.example", "unknown"]) == [everything[1]]
        assert await self._ready(scene.store, skip_workspaces=[other]) == everything[:3]
        assert await self._ready(scene.store, skip_hosts=["b.example"], skip_workspaces=[other]) == [
            everything[0],
            everything[2],
        ]
        mine = (await scene.workspace()).id
        assert await self._ready(scene.store, skip_workspaces=[mine, other]) == []

    async def test_a_limit_counts_what_is_shown(self, scene: Scene) -> None:
        for index in range(5):
            await scene.queued(await scene.job(host="slow.example"), at=NOW - index * MINUTE)
        fast = await scene.queued(await scene.job(host="fast.example"))
        [message] = await scene.store.ready(LATER, 1, skip_hosts=["slow.example"])
        assert message.execution_id == fast.id

    async def test_suspects_can_be_left_out(self, scene: Scene) -> None:
        job = await scene.job()
        suspect, once_lost = await scene.suspect(job), await scene.lost(job, 1, at=LATER)
        assert await self._ready(scene.store) == [suspect.id, once_lost.id]
        assert await self._ready(scene.store, with_suspects=False) == [once_lost.id]

    async def test_what_was_available_before_can_be_left_out(self, scene: Scene) -> None:
        job = await scene.job()
        first, second = await scene.queued(job, at=NOW), await scene.queued(job, at=NOW + MICROSECOND)
        assert await self._ready(scene.store, after=NOW - MICROSECOND) == [first.id, second.id]
        assert await self._ready(scene.store, after=NOW) == [second.id]
        assert await self._ready(scene.store, after=NOW + MICROSECOND) == []

    async def test_looking_takes_nothing(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        await scene.store.ready(LATER, 10)
        assert await scene.now_of(execution) == execution
        assert await self._ready(scene.store) == [execution.id]

    async def _ready(self, store: JobStore, **narrowing: Any) -> list[str]:
        return [message.execution_id for message in await store.ready(LATER, 10, **narrowing)]

"""Plans that are made before their instant, and what happens to a job in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random

import pytest
from attrs import evolve

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.domain.job import Job, JobDefinition
from cronhook_core.domain.planning import DueJob, JobPlan
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.embedded import Embedded, embedded
from cronhook_core.engine.foresight import AT_ONCE, BOUND, HOLDS_FOR, Foresight
from cronhook_core.engine.planner import plan_job
from cronhook_core.engine.scheduler import HEAD_START
from cronhook_core.errors import StoreUnavailable
from cronhook_core.testing.builders import MINUTE, NOW, make_due_job
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks
from cronhook_core.testing.scripted_sender import ScriptedSender

URL = "https://receiver.example/hook"
DUE = NOW + timedelta(seconds=10)


class Watched:
    """When jobs were looked for and planned, on the clock of the test, and how many there were."""

    def __init__(self, clock: ManualClock, patch: pytest.MonkeyPatch) -> None:
        self.looks: list[tuple[float, int]] = []
        self.plans: list[tuple[float, int]] = []
        self.store: MemoryJobStore
        due_jobs, plan = MemoryJobStore.due_jobs, MemoryJobStore.plan

        async def look(
            store: MemoryJobStore, now: datetime, limit: int, *, after: DueJob | None = None
        ) -> Sequence[DueJob]:
            self.store = store
            found = await due_jobs(store, now, limit, after=after)
            if found:
                self.looks.append((clock.monotonic(), len(found)))
            return found

        async def planned(store: MemoryJobStore, plans: Sequence[JobPlan], now: datetime) -> Sequence[str]:
            queued = await plan(store, plans, now)
            self.plans.append((clock.monotonic(), len(queued)))
            return queued

        patch.setattr(MemoryJobStore, "due_jobs", look)
        patch.setattr(MemoryJobStore, "plan", planned)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def sender() -> ScriptedSender:
    return ScriptedSender()


@pytest.fixture
def watched(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(clock, monkeypatch)


@asynccontextmanager
async def running(sender: ScriptedSender, clock: ManualClock) -> AsyncIterator[Embedded]:
    hooks = RecordingHooks()
    async with embedded(sender, clock=clock, hooks=hooks, random=Random(1)) as engine:
        await clock.advance(0.5)
        yield engine
    assert hooks.named("pass_failed") == []


def due_at(instant: datetime = DUE) -> JobDefinition:
    return JobDefinition(name="once", schedule=OneTimeSchedule(instant), callback_url=URL)


def instants_sent(sender: ScriptedSender) -> list[str]:
    return [dict(request.headers)["cronhook-scheduled-for"] for request in sender.requests]


async def test_a_herd_is_read_before_its_instant_and_planned_at_it(
    clock: ManualClock, sender: ScriptedSender, watched: Watched
) -> None:
    async with running(sender, clock) as engine:
        for _ in range(120):
            await engine.jobs.create(engine.workspace_id, due_at())
        await clock.advance(15)
        made = [await engine.jobs.executions(engine.workspace_id, job.id, limit=2) for job in await jobs_of(engine)]
    assert [count for _, count in watched.looks] == [120]
    assert watched.looks[0][0] < 10
    assert watched.plans == [(10, 50), (10 + HEAD_START, 70)]
    assert {execution.created_at for (execution,) in made} == {DUE}
    assert len(sender.requests) == 120


async def jobs_of(engine: Embedded) -> Sequence[Job]:
    return await engine.jobs.list(engine.workspace_id, limit=200)


async def test_workers_have_a_head_start_only_where_more_follows(
    clock: ManualClock, sender: ScriptedSender, watched: Watched
) -> None:
    async with running(sender, clock) as engine:
        for _ in range(3):
            await engine.jobs.create(engine.workspace_id, due_at())
        await clock.advance(9.3)
        await engine.jobs.create(engine.workspace_id, due_at())
        await clock.advance(1)
    assert watched.plans == [(10, 3), (10, 1)]


async def test_cron_jobs_are_foreseen_minute_by_minute(
    clock: ManualClock, sender: ScriptedSender, watched: Watched
) -> None:
    async with running(sender, clock) as engine:
        cron = JobDefinition(name="tick", schedule=CronSchedule("* * * * *"), callback_url=URL)
        await engine.jobs.create(engine.workspace_id, cron)
        await clock.advance(200)
    assert watched.plans == [(60, 1), (120, 1), (180, 1)]
    assert [60 * (k + 1) - at for k, (at, _) in enumerate(watched.looks)] == [pytest.approx(1, abs=0.11)] * 3
    assert len(sender.requests) == 3


@pytest.mark.parametrize("change", ["moved", "paused", "deleted"])
async def test_what_changed_after_it_was_read_is_not_planned(
    change: str, clock: ManualClock, sender: ScriptedSender, watched: Watched
) -> None:
    async with running(sender, clock) as engine:
        job = await engine.jobs.create(engine.workspace_id, due_at())
        await engine.jobs.create(engine.workspace_id, due_at())
        await clock.advance(9.3)
        assert [count for _, count in watched.looks] == [2]
        match change:
            case "moved":
                later = due_at(NOW + timedelta(seconds=20))
                await engine.jobs.update(engine.workspace_id, job.id, lambda _: later)
            case "paused":
                await engine.jobs.pause(engine.workspace_id, job.id)
            case "deleted":
                await engine.jobs.delete(engine.workspace_id, job.id)
        await clock.advance(3)
        assert len(sender.requests) == 1
        await clock.advance(20)
    assert instants_sent(sender) == ["2026-03-02T12:00:10Z"] + ["2026-03-02T12:00:20Z"] * (change == "moved")


async def test_what_came_after_the_look_is_planned_as_well(
    clock: ManualClock, sender: ScriptedSender, watched: Watched
) -> None:
    async with running(sender, clock) as engine:
        await engine.jobs.create(engine.workspace_id, due_at())
        await clock.advance(9.3)
        await engine.jobs.create(engine.workspace_id, due_at())
        await engine.jobs.create(engine.workspace_id, due_at(DUE - timedelta(seconds=0.1)))
        await clock.advance(3)
    assert len(watched.looks) > 1
    assert len(sender.requests) == 3


async def test_after_a_stall_what_was_missed_is_counted(clock: ManualClock, sender: ScriptedSender) -> None:
    async with running(sender, clock) as engine:
        cron = JobDefinition(name="tick", schedule=CronSchedule("* * * * *"), callback_url=URL)
        job = await engine.jobs.create(engine.workspace_id, cron)
        await clock.advance(59)
        clock.step(150)
        await clock.advance(2)
        (execution,) = await engine.jobs.executions(engine.workspace_id, job.id, limit=5)
    assert (execution.scheduled_for, execution.missed_count) == (NOW + 3 * MINUTE, 2)


async def test_a_pass_waits_for_no_look(
    clock: ManualClock, sender: ScriptedSender, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is announced meanwhile goes at once, and so does what was looked for when the look is not over in time."""
    due_jobs = MemoryJobStore.due_jobs

    async def slow(
        store: MemoryJobStore, now: datetime, limit: int, *, after: DueJob | None = None
    ) -> Sequence[DueJob]:
        if limit == BOUND:
            await clock.sleep(5)
        return await due_jobs(store, now, limit, after=after)

    monkeypatch.setattr(MemoryJobStore, "due_jobs", slow)
    async with running(sender, clock) as engine:
        await engine.jobs.create(engine.workspace_id, due_at())
        await clock.advance(9)
        await engine.jobs.create(engine.workspace_id, due_at(NOW + timedelta(seconds=9.6)))
        await clock.advance(8)
    assert watched.plans == [(9.6, 1), (10, 1)]


async def test_an_end_waits_for_no_look(
    clock: ManualClock, sender: ScriptedSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = asyncio.Event()

    async def hangs(store: MemoryJobStore, now: datetime, limit: int, **_: object) -> Sequence[DueJob]:
        if limit != BOUND:
            return []
        looking.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(MemoryJobStore, "due_jobs", hangs)
    async with running(sender, clock) as engine:
        await engine.jobs.create(engine.workspace_id, due_at())
        await clock.advance(9)
        assert looking.is_set()


class TestForesight:
    @pytest.fixture
    def scene(self) -> Scene:
        database = MemoryDatabase()
        return Scene(MemoryJobStore(database), MemoryAccountStore(database))

    @pytest.fixture
    def foresight(self, scene: Scene, clock: ManualClock) -> Foresight:
        clock.step(9)
        return Foresight(scene.store, clock=clock, hooks=RecordingHooks())

    async def looked(self, foresight: Foresight, due_at: datetime = DUE) -> Foresight:
        foresight.expect(due_at)
        await foresight.run_once()
        return foresight

    async def test_its_plans_are_those_of_the_rule(self, scene: Scene, foresight: Foresight) -> None:
        jobs = await scene.jobs(AT_ONCE + 1, next_run=DUE)
        taken = {plan.job_id: plan for plan in (await self.looked(foresight)).take(DUE)}
        assert taken == {job.id: plan_job(make_due_job(job), DUE) for job in jobs}

    async def test_before_its_instant_it_keeps_them_and_then_hands_them_out_once(
        self, scene: Scene, foresight: Foresight
    ) -> None:
        await scene.job(next_run=DUE)
        await self.looked(foresight)
        assert foresight.take(DUE - timedelta(milliseconds=1)) == []
        assert len(foresight.take(DUE)) == 1
        assert foresight.take(DUE) == []

    @pytest.mark.parametrize("late", [HOLDS_FOR + timedelta(microseconds=1), MINUTE])
    async def test_long_after_its_instant_nothing_is_left_of_it(
        self, late: timedelta, scene: Scene, foresight: Foresight
    ) -> None:
        await scene.job(next_run=DUE)
        await self.looked(foresight)
        assert foresight.take(DUE + late) == []
        assert foresight.take(DUE) == []

    async def test_in_another_minute_it_does_not_hold(
        self, scene: Scene, foresight: Foresight, clock: ManualClock
    ) -> None:
        clock.step(50)
        at = NOW + MINUTE - timedelta(milliseconds=1)
        await scene.job(next_run=at)
        await self.looked(foresight, at)
        assert foresight.take(NOW + MINUTE) == []
        await self.looked(foresight, at)
        assert len(foresight.take(at)) == 1

    async def test_a_job_without_a_next_instant_is_left_to_the_pass(
        self, scene: Scene, foresight: Foresight, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        no_zone = CronSchedule.stored("* * * * *", "Europe/Atlantis")
        jobs = [make_due_job(job) for job in await scene.jobs(2, next_run=DUE)]

        async def due_jobs(store: MemoryJobStore, now: datetime, limit: int) -> Sequence[DueJob]:
            return [jobs[0], evolve(jobs[1], schedule=no_zone)]

        monkeypatch.setattr(MemoryJobStore, "due_jobs", due_jobs)
        await self.looked(foresight)
        assert [plan.job_id for plan in foresight.take(DUE)] == [jobs[0].id]

    async def test_it_looks_at_so_many(
        self, scene: Scene, foresight: Foresight, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cronhook_core.engine.foresight.BOUND", 3)
        await scene.jobs(5, next_run=DUE)
        await self.looked(foresight)
        assert len(foresight.take(DUE)) == 3

    @pytest.mark.parametrize(("ahead", "looks"), [(1.3, 0), (1.29, 1), (0.2, 1), (0.19, 0), (-1, 0)])
    async def test_when_it_looks(
        self, ahead: float, looks: int, scene: Scene, foresight: Foresight, clock: ManualClock, watched: Watched
    ) -> None:
        clock.step(1 - ahead)
        await scene.job(next_run=DUE)
        await self.looked(foresight)
        assert len(watched.looks) == looks

    async def test_an_instant_is_looked_at_once_also_where_something_comes_in_between(
        self, scene: Scene, foresight: Foresight, watched: Watched
    ) -> None:
        await scene.job(next_run=DUE)
        for due_at in (DUE, DUE, DUE - timedelta(seconds=0.5)):
            await self.looked(foresight, due_at)
        assert len(watched.looks) == 1
        assert len(foresight.take(DUE)) == 1

    async def test_others_have_their_turns_and_what_comes_too_late_is_dropped(
        self, scene: Scene, foresight: Foresight, clock: ManualClock
    ) -> None:
        await scene.jobs(2 * AT_ONCE, next_run=DUE)
        looking = asyncio.create_task(self.looked(foresight))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not looking.done()
        clock.step(1)
        await looking
        assert foresight.take(DUE) == []

    async def test_a_look_that_fails_leaves_what_was(
        self, scene: Scene, foresight: Foresight, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(store: MemoryJobStore, now: datetime, limit: int) -> Sequence[DueJob]:
            raise StoreUnavailable("away")

        monkeypatch.setattr(MemoryJobStore, "due_jobs", away)
        await self.looked(foresight)
        assert foresight.take(DUE) == []

    async def test_it_forgets(self, scene: Scene, foresight: Foresight, watched: Watched) -> None:
        await scene.job(next_run=DUE)
        await self.looked(foresight)
        foresight.forget()
        assert foresight.take(DUE) == []
        foresight.expect(DUE)
        foresight.forget()
        await foresight.run_once()
        assert len(watched.looks) == 1


async def test_what_another_node_planned_is_not_tried_to_its_end(
    clock: ManualClock, sender: ScriptedSender, watched: Watched
) -> None:
    async with running(sender, clock) as engine:
        jobs = [await engine.jobs.create(engine.workspace_id, due_at()) for _ in range(200)]
        await clock.advance(9.3)
        await watched.store.plan([plan_job(make_due_job(job), DUE) for job in jobs], DUE)
        watched.plans.clear()
        await clock.advance(3)
    assert watched.plans == [(10, 0)]
    assert len(sender.requests) == 200

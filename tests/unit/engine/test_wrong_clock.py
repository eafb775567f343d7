"""A clock that is a year ahead for some seconds, and then right."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from attrs import evolve

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.job import Job
from cronhook_core.domain.planning import DueJob, Rescheduling
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.job_walk import BATCH
from cronhook_core.engine.planner import plan_job
from cronhook_core.engine.scheduler import Scheduler
from cronhook_core.engine.wrong_clock import WrongClock, replanned
from cronhook_core.testing.builders import MINUTE, NOW, make_due_job, make_job, succeeded
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks

DAY = timedelta(days=1)
YEAR = 365 * DAY
MINUTELY = CronSchedule("* * * * *")
YEARLY = CronSchedule("0 0 1 1 *")
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def due_job(schedule: Schedule, next_run: datetime, planned_through: datetime | None = None) -> DueJob:
    job = make_due_job(make_job("wsp_1"))
    return evolve(job, schedule=schedule, next_run=next_run, planned_through=planned_through)


def planned_at(job: DueJob, wrong: datetime) -> DueJob:
    """The job after a pass by a wrong clock."""
    plan = plan_job(job, wrong)
    assert plan.next_run is not None
    return evolve(job, next_run=plan.next_run, planned_through=plan.planned_through)


def test_a_job_planned_by_a_clock_far_ahead_is_planned_from_now_on() -> None:
    job = planned_at(due_job(MINUTELY, NOW), NOW + YEAR)
    assert replanned(job, NOW) == Rescheduling(
        job_id=job.id,
        revision=job.revision,
        expected_next_run=NOW + YEAR + MINUTE,
        next_run=NOW + MINUTE,
        planned_through=None,
    )


def test_a_rare_job_planned_by_a_right_clock_stays() -> None:
    assert replanned(due_job(YEARLY, NEW_YEAR), NOW) is None
    assert replanned(due_job(YEARLY, NEW_YEAR, planned_through=datetime(2026, 1, 1, tzinfo=UTC)), NOW) is None


def test_a_rare_job_planned_by_a_wrong_clock_moves() -> None:
    change = replanned(planned_at(due_job(YEARLY, NEW_YEAR), NOW + YEAR), NOW)
    assert isinstance(change, Rescheduling)
    assert (change.next_run, change.planned_through) == (NEW_YEAR, None)


def test_what_was_planned_up_to_two_days_ahead_stays_so_that_nothing_runs_twice() -> None:
    assert replanned(planned_at(due_job(MINUTELY, NOW), NOW + 2 * DAY), NOW) is None


def test_a_job_written_by_a_wrong_clock_moves_and_what_it_was_planned_through_stays() -> None:
    job = evolve(due_job(MINUTELY, NOW + YEAR, planned_through=NOW), updated_at=NOW + YEAR)
    change = replanned(job, NOW)
    assert isinstance(change, Rescheduling)
    assert (change.next_run, change.planned_through) == (NOW + MINUTE, NOW)
    assert replanned(evolve(job, next_run=change.next_run), NOW) is None


def test_a_one_time_job_keeps_its_instant() -> None:
    run_at = NOW + 9 * DAY
    job = evolve(due_job(OneTimeSchedule(run_at), run_at), updated_at=NOW + YEAR)
    assert replanned(job, NOW) is None


class Installation:
    """A store in memory, and schedulers that run on it one after another."""

    def __init__(self) -> None:
        database = MemoryDatabase()
        self.store = MemoryJobStore(database)
        self.scene = Scene(self.store, MemoryAccountStore(database))
        self.hooks = RecordingHooks()
        self.clock = ManualClock(NOW)

    @asynccontextmanager
    async def scheduler(self) -> AsyncIterator[None]:
        scheduler = Scheduler(
            self.store,
            MemoryQueue(self.clock),
            MemoryLock(self.clock),
            clock=self.clock,
            hooks=self.hooks,
            dependencies=Dependencies(self.hooks, Random(1)),
        )
        scheduler.start()
        yield
        await scheduler.stop()

    async def run(self, seconds: float) -> None:
        async with self.scheduler():
            await self.clock.advance(seconds)

    async def jobs(self, count: int = 1) -> list[Job]:
        return await self.scene.jobs(count, schedule=MINUTELY, next_run=NOW)

    async def planned(self, job: Job) -> list[datetime]:
        found = await self.store.list_executions(job.workspace_id, job.id, limit=100)
        return [execution.scheduled_for for execution in found]


@pytest.fixture
def installation() -> Installation:
    return Installation()


async def test_cron_jobs_run_again_within_a_minute_of_a_start_by_the_right_clock(installation: Installation) -> None:
    [job] = await installation.jobs()
    installation.clock.step(YEAR.total_seconds())
    await installation.run(3)
    assert (await installation.scene.job_now(job)).next_run == NOW + YEAR + MINUTE
    installation.clock.step(-YEAR.total_seconds())
    await installation.run(117)
    assert await installation.planned(job) == [NOW + YEAR, NOW + 2 * MINUTE, NOW + MINUTE]
    assert installation.hooks.named("jobs_replanned") == [(1,)]


async def test_they_do_so_where_the_clock_comes_right_while_a_scheduler_runs(installation: Installation) -> None:
    [job] = await installation.jobs()
    async with installation.scheduler():
        await installation.clock.advance(3)
        installation.clock.step(YEAR.total_seconds())
        await installation.clock.advance(3)
        installation.clock.step(-YEAR.total_seconds())
        await installation.clock.advance(114)
    assert await installation.planned(job) == [NOW + YEAR, NOW + 2 * MINUTE, NOW + MINUTE, NOW]
    assert installation.hooks.named("jobs_replanned") == [(1,)]


async def test_many_move_in_bounded_batches_and_a_follower_sees_to_it_as_well(installation: Installation) -> None:
    far = NOW + YEAR
    jobs = await installation.scene.jobs(
        BATCH + 1, schedule=MINUTELY, next_run=far + MINUTE, planned_through=far, updated_at=NOW
    )
    wakes: list[None] = []
    follower = WrongClock(
        installation.store,
        clock=installation.clock,
        hooks=installation.hooks,
        leads=lambda: False,
        moved=lambda: wakes.append(None),
    )
    await follower.run_once()
    assert wakes == []
    installation.clock.step(-3600)
    while not installation.hooks.named("jobs_replanned"):
        assert await follower.run_once() <= 1.01
    assert installation.hooks.named("jobs_replanned") == [(BATCH + 1,)]
    assert len(wakes) == 2
    now = installation.clock.now()
    assert {(await installation.scene.job_now(job)).next_run for job in jobs} == {now + MINUTE}


async def test_a_clock_a_year_ahead_prunes_nothing(installation: Installation) -> None:
    [job] = await installation.jobs()
    ended = [await installation.scene.running(job) for _ in range(30)]
    await installation.store.finish([succeeded(claim) for claim in ended], NOW)
    await installation.run(70)
    installation.clock.step(YEAR.total_seconds())
    await installation.run(3500)
    left = [await installation.store.get_execution(job.workspace_id, claim.execution_id) for claim in ended]
    assert left.count(None) == 0
    [(ahead,)] = installation.hooks.named("clock_doubted")
    assert isinstance(ahead, timedelta)
    assert YEAR - DAY < ahead < YEAR + DAY


async def test_a_machine_that_was_off_for_a_year_prunes_after_an_hour(installation: Installation) -> None:
    [job] = await installation.jobs()
    claim = await installation.scene.running(job)
    await installation.store.finish([succeeded(claim)], NOW)
    await installation.run(70)
    installation.clock.step(YEAR.total_seconds())
    await installation.run(3800)
    assert await installation.store.get_execution(job.workspace_id, claim.execution_id) is None
    believed = await installation.store.believed_clock()
    assert believed is not None
    assert installation.clock.now() - believed < 2 * MINUTE

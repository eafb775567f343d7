"""A start with other time zone rules than the store's instants were computed by."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from attrs import evolve

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.lock import MemoryLock
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.planning import DueJob, JobPlan, Rescheduling
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.engine.availability import Dependencies
from cronhook_core.engine.job_walk import BATCH
from cronhook_core.engine.scheduler import Scheduler, SchedulerOptions
from cronhook_core.engine.zone_rules import DONE, ZoneRules, recomputed
from cronhook_core.errors import StoreUnavailable
from cronhook_core.testing.builders import NOW, make_definition, make_due_job, make_job
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks

HOUR = timedelta(hours=1)
DAILY = CronSchedule("0 15 * * *", "Europe/Berlin")
"""At 14:00 UTC in winter, by the rules in force."""
RIGHT = datetime(2026, 3, 2, 14, tzinfo=UTC)
DAY = timedelta(days=1)
OF_NO_ZONE = CronSchedule.stored("0 15 * * *", "Europe/Atlantis")


def daily(next_run: datetime, planned_through: datetime | None = None, schedule: CronSchedule = DAILY) -> DueJob:
    job = make_due_job(make_job("wsp_1"))
    return evolve(job, schedule=schedule, next_run=next_run, planned_through=planned_through)


def moved_to(job: DueJob, now: datetime) -> datetime:
    change = recomputed(job, now)
    assert isinstance(change, Rescheduling)
    assert (change.job_id, change.revision, change.expected_next_run) == (job.id, job.revision, job.next_run)
    return change.next_run


def test_an_instant_that_agrees_stays() -> None:
    assert recomputed(daily(RIGHT), NOW) is None


@pytest.mark.parametrize("wrong", [-HOUR, HOUR])
def test_an_instant_ahead_moves_to_where_the_rules_put_it(wrong: timedelta) -> None:
    assert moved_to(daily(RIGHT + wrong), NOW) == RIGHT


def test_what_was_planned_is_not_planned_again() -> None:
    job = daily(RIGHT + DAY - HOUR, planned_through=RIGHT)
    assert moved_to(job, RIGHT - HOUR / 2) == RIGHT + DAY


def test_a_job_that_ran_too_early_today_goes_on_tomorrow() -> None:
    job = daily(RIGHT + DAY - HOUR, planned_through=RIGHT - HOUR)
    assert moved_to(job, RIGHT + HOUR) == RIGHT + DAY


@pytest.mark.parametrize("planned_through", [None, RIGHT - DAY + HOUR])
def test_an_occurrence_that_would_be_lost_keeps_its_instant(planned_through: datetime | None) -> None:
    assert recomputed(daily(RIGHT + HOUR, planned_through), RIGHT + HOUR / 2) is None


@pytest.mark.parametrize("line", ["0 */2 * * *", "0 2,4 * * *", "0 2,5 * * *"])
def test_an_occurrence_as_far_from_the_promised_instant_as_the_next_one_is_not_lost(line: str) -> None:
    """The clock in Berlin went back an hour later than is known now: 02:00 is at 01:00 UTC, promised for 02:00 UTC."""
    right = datetime(2026, 3, 2, 1, tzinfo=UTC)
    job = daily(right + HOUR, right - 2 * HOUR, CronSchedule(line, "Europe/Berlin"))
    assert recomputed(job, right + HOUR / 2) is None


def test_instants_of_a_frequent_job_agree_by_themselves() -> None:
    job = daily(NOW + timedelta(minutes=1), NOW, CronSchedule("* * * * *", "Europe/Berlin"))
    assert recomputed(job, NOW + timedelta(seconds=20)) is None


def test_a_job_whose_zone_is_gone_ends() -> None:
    end = recomputed(daily(RIGHT, schedule=OF_NO_ZONE), NOW)
    assert isinstance(end, JobPlan)
    assert (end.inactive_reason, end.execution, end.next_run) == (InactiveReason.UNPLANNABLE, None, None)


class FlakyStore(MemoryJobStore):
    away = False
    reads = 0

    async def upcoming_jobs(self, beyond: datetime, limit: int, *, after: DueJob | None = None) -> list[DueJob]:
        if self.away:
            raise StoreUnavailable("it is away")
        self.reads += 1
        return list(await super().upcoming_jobs(beyond, limit, after=after))


class Node:
    """One node on a store of its own, with jobs that other rules made an hour late."""

    def __init__(self) -> None:
        database = MemoryDatabase()
        self.store = FlakyStore(database)
        self.scene = Scene(self.store, MemoryAccountStore(database))
        self.hooks = RecordingHooks()
        self.clock = ManualClock(NOW)
        self.leads = True
        self.wakes = 0
        self.rules = self.computing_by("2026.2")

    def computing_by(self, version: str) -> ZoneRules:
        return ZoneRules(
            self.store, version, clock=self.clock, hooks=self.hooks, leads=lambda: self.leads, moved=self.wake
        )

    def wake(self) -> None:
        self.wakes += 1

    async def late_jobs(self, count: int) -> list[Job]:
        return await self.scene.jobs(count, schedule=DAILY, next_run=RIGHT + HOUR)

    async def finish(self, rules: ZoneRules | None = None) -> None:
        while await (rules or self.rules).run_once() != DONE:
            pass


@pytest.fixture
def node() -> Node:
    return Node()


async def test_all_cron_jobs_move_in_bounded_batches_and_it_is_told_once(node: Node) -> None:
    await node.store.remember_zone_rules("2026.1")
    jobs = await node.late_jobs(BATCH + 1)
    once = await node.scene.job(schedule=OneTimeSchedule(RIGHT + HOUR))
    await node.finish()
    assert {(await node.scene.job_now(job)).next_run for job in jobs} == {RIGHT}
    assert (await node.scene.job_now(once)).next_run == RIGHT + HOUR
    assert node.hooks.named("zone_rules_changed") == [("2026.1", "2026.2", BATCH + 1)]
    assert (await node.store.zone_rules(), node.store.reads, node.wakes) == ("2026.2", 2, 2)


async def test_a_start_with_the_same_rules_reads_no_jobs(node: Node) -> None:
    await node.store.remember_zone_rules("2026.2")
    await node.late_jobs(1)
    await node.finish()
    assert (node.store.reads, node.hooks.events) == (0, [])


async def test_a_follower_leaves_it_to_the_leader(node: Node) -> None:
    node.leads = False
    await node.late_jobs(1)
    assert await node.rules.run_once() < DONE
    assert (node.store.reads, await node.store.zone_rules()) == (0, None)
    node.leads = True
    await node.finish()
    assert node.hooks.named("zone_rules_changed") == [(None, "2026.2", 1)]


async def test_a_database_that_goes_away_meanwhile_holds_it_up_only(node: Node) -> None:
    [job] = await node.late_jobs(1)
    node.store.away = True
    assert await node.rules.run_once() < DONE
    assert await node.store.zone_rules() is None
    node.store.away = False
    await node.finish()
    assert (await node.scene.job_now(job)).next_run == RIGHT


async def test_a_leader_that_ended_halfway_leaves_the_rest_to_the_next(node: Node) -> None:
    jobs = await node.late_jobs(BATCH + 1)
    assert await node.rules.run_once() < DONE
    await node.finish(node.computing_by("2026.2"))
    assert {(await node.scene.job_now(job)).next_run for job in jobs} == {RIGHT}
    assert node.hooks.named("zone_rules_changed") == [(None, "2026.2", 1)]


async def test_jobs_that_are_due_are_the_planners(node: Node) -> None:
    job = await node.scene.job(schedule=DAILY, next_run=NOW - HOUR)
    await node.finish()
    assert await node.scene.job_now(job) == job


async def test_a_job_whose_zone_is_gone_is_announced(node: Node) -> None:
    job = await node.scene.job()
    await node.scene.change(job, job.changed(NOW, definition=make_definition(schedule=OF_NO_ZONE), next_run=RIGHT))
    await node.finish()
    assert (await node.scene.job_now(job)).status is JobStatus.INACTIVE
    assert len(node.hooks.named("job_unplannable")) == 1


async def test_a_scheduler_plans_by_the_moved_instants(node: Node) -> None:
    job = await node.scene.job(schedule=DAILY, next_run=RIGHT + HOUR)
    node.clock.step((RIGHT - NOW).total_seconds() - 2)
    scheduler = Scheduler(
        node.store,
        MemoryQueue(node.clock),
        MemoryLock(node.clock),
        clock=node.clock,
        hooks=node.hooks,
        dependencies=Dependencies(node.hooks, Random(1)),
        options=SchedulerOptions(zone_rules="2026.2"),
    )
    scheduler.start()
    await node.clock.advance(2.1)
    [(plan, planned_at)] = node.hooks.named("execution_planned")
    assert isinstance(plan, JobPlan)
    assert plan.execution is not None
    assert (plan.execution.scheduled_for, planned_at) == (RIGHT, RIGHT)
    assert (await node.scene.job_now(job)).next_run == RIGHT + DAY
    await scheduler.stop()

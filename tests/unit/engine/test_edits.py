"""Another schedule for a job of which something is due that no scheduler has planned yet."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from attrs import evolve

from cronhook_core.backends.memory.account_store import MemoryAccountStore
from cronhook_core.backends.memory.database import MemoryDatabase
from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.backends.memory.queue import MemoryQueue
from cronhook_core.domain.execution import Execution, ExecutionStatus
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.job_changes import deleted
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.engine.job_service import JobService
from cronhook_core.errors import InvalidRunAt, InvalidTimezone
from cronhook_core.testing.builders import NOW, make_definition, make_job
from cronhook_core.testing.job_store.scene import Scene
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks

HOUR = timedelta(hours=1)
HOURLY, HALF_HOURLY = CronSchedule("0 * * * *"), CronSchedule("0,30 * * * *")


class Stage:
    """Jobs made at NOW; no scheduler runs."""

    def __init__(self) -> None:
        database = MemoryDatabase()
        self.clock = ManualClock(NOW)
        self.store = MemoryJobStore(database)
        self.queue = MemoryQueue(self.clock)
        self.scene = Scene(self.store, MemoryAccountStore(database))
        self.hooks = RecordingHooks()
        self.service = JobService(
            self.store, self.queue, clock=self.clock, random=Random(1), targets=None, hooks=self.hooks
        )

    async def job(self, schedule: Schedule, **changes: Any) -> Job:
        return await self.scene.job(schedule=schedule, **changes)

    async def edit(self, job: Job, schedule: Schedule, *, anew: bool = False, **changes: Any) -> Job:
        return await self.service.update(
            job.workspace_id, job.id, lambda stored: evolve(stored, schedule=schedule, **changes), anew=anew
        )

    async def executions(self, job: Job) -> Sequence[Execution]:
        return await self.service.executions(job.workspace_id, job.id, limit=10)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_what_was_due_before_an_edit_runs(stage: Stage) -> None:
    job = await stage.job(HOURLY)
    await stage.clock.advance(HOUR.total_seconds() + 0.3)
    edited = await stage.edit(job, HALF_HOURLY)
    assert edited.next_run == NOW + HOUR + HOUR / 2
    assert [execution.scheduled_for for execution in await stage.executions(job)] == [NOW + HOUR]
    [message] = await stage.queue.pop(5, timedelta(0), stage.clock.now())
    assert message.job_id == job.id
    [(plan, _)] = stage.hooks.named("execution_planned")
    assert plan.job_id == job.id


async def test_what_was_missed_is_counted_by_the_line_that_missed_it(stage: Stage) -> None:
    job = await stage.job(HOURLY)
    await stage.clock.advance(5.5 * HOUR.total_seconds())
    edited = await stage.edit(job, CronSchedule("*/5 * * * *"))
    assert edited.next_run == NOW + 5.5 * HOUR + timedelta(minutes=5)
    [execution] = await stage.executions(job)
    assert (execution.scheduled_for, execution.missed_count) == (NOW + 5 * HOUR, 4)
    assert execution.missed_from == NOW + HOUR


async def test_a_line_with_something_due_becomes_one_instant(stage: Stage) -> None:
    job = await stage.job(HOURLY)
    await stage.clock.advance(HOUR.total_seconds())
    edited = await stage.edit(job, OneTimeSchedule(NOW + 3 * HOUR))
    assert edited.next_run == NOW + 3 * HOUR
    assert [execution.scheduled_for for execution in await stage.executions(job)] == [NOW + HOUR]


async def test_the_instant_of_a_one_time_job_is_moved_until_it_is_planned(stage: Stage) -> None:
    job = await stage.job(OneTimeSchedule(NOW + HOUR))
    await stage.clock.advance(HOUR.total_seconds() + 0.3)
    assert (await stage.edit(job, OneTimeSchedule(NOW + 2 * HOUR))).next_run == NOW + 2 * HOUR
    assert await stage.executions(job) == []


async def test_an_edit_that_is_refused_plans_nothing(stage: Stage) -> None:
    job = await stage.job(HOURLY)
    await stage.clock.advance(2 * HOUR.total_seconds())
    with pytest.raises(InvalidRunAt):
        await stage.edit(job, OneTimeSchedule(NOW))
    assert await stage.executions(job) == []


async def test_an_edit_of_other_fields_leaves_what_is_due_to_the_planner(stage: Stage) -> None:
    job = await stage.job(HOURLY)
    await stage.clock.advance(HOUR.total_seconds())
    assert (await stage.edit(job, HOURLY, name="another name")).next_run == NOW + HOUR
    assert await stage.executions(job) == []


async def test_a_job_that_ended_begins_anew_with_its_own_line(stage: Stage) -> None:
    job = await stage.job(HOURLY, status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE)
    assert (await stage.edit(job, HOURLY)).status is JobStatus.INACTIVE
    revived = await stage.edit(job, HOURLY, anew=True)
    assert (revived.status, revived.inactive_reason, revived.next_run) == (JobStatus.ACTIVE, None, NOW + HOUR)
    assert await stage.edit(job, HOURLY, anew=True) == revived


async def test_a_one_time_job_that_ended_is_renamed_with_its_own_instant(stage: Stage) -> None:
    once = OneTimeSchedule(NOW + HOUR)
    job = await stage.job(
        once, status=JobStatus.INACTIVE, inactive_reason=InactiveReason.COMPLETED, planned_through=NOW + HOUR
    )
    renamed = await stage.edit(job, once, anew=True, name="another name")
    assert (renamed.status, renamed.definition.name) == (JobStatus.INACTIVE, "another name")


@pytest.mark.parametrize("reason", [InactiveReason.GONE, InactiveReason.FAILED])
async def test_a_one_time_job_that_ended_before_its_instant_begins_anew_with_it(
    stage: Stage, reason: InactiveReason
) -> None:
    once = OneTimeSchedule(NOW + HOUR)
    job = await stage.job(once, status=JobStatus.INACTIVE, inactive_reason=reason)
    revived = await stage.edit(job, once, anew=True, callback_url="https://example.com/corrected")
    assert (revived.status, revived.inactive_reason, revived.next_run) == (JobStatus.ACTIVE, None, NOW + HOUR)


async def test_a_one_time_job_that_missed_its_instant_is_renamed_with_it(stage: Stage) -> None:
    once = OneTimeSchedule(NOW - timedelta(seconds=1))
    job = await stage.job(once, status=JobStatus.INACTIVE, inactive_reason=InactiveReason.MISSED)
    assert (await stage.edit(job, once, anew=True, name="another name")).status is JobStatus.INACTIVE


@pytest.mark.parametrize(("schedule", "missed"), [(HOURLY, 2), (OneTimeSchedule(NOW + 3 * HOUR), 0)])
async def test_what_was_due_before_a_pause_is_seen_among_what_it_cancelled(
    stage: Stage, schedule: Schedule, missed: int
) -> None:
    job = await stage.job(schedule)
    await stage.clock.advance(3.5 * HOUR.total_seconds())
    paused = await stage.service.pause(job.workspace_id, job.id)
    assert (paused.status, paused.next_run) == (JobStatus.PAUSED, None)
    [execution] = await stage.executions(job)
    assert (execution.status, execution.reason) == (ExecutionStatus.CANCELLED, "paused")
    assert (execution.scheduled_for, execution.missed_count) == (NOW + 3 * HOUR, missed)
    assert await stage.queue.pop(5, timedelta(0), stage.clock.now()) == []


async def test_a_job_whose_zone_is_gone_is_paused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise InvalidTimezone("there is no such zone")

    job = await stage.job(HOURLY)
    monkeypatch.setattr("cronhook_core.engine.planner._catch_up", gone)
    await stage.clock.advance(2 * HOUR.total_seconds())
    assert (await stage.service.pause(job.workspace_id, job.id)).status is JobStatus.PAUSED
    assert await stage.executions(job) == []


async def test_a_pause_before_the_next_instant_plans_nothing(stage: Stage) -> None:
    job = await stage.job(HOURLY)
    await stage.clock.advance(HOUR.total_seconds() - 1)
    await stage.service.pause(job.workspace_id, job.id)
    assert await stage.executions(job) == []


class TestAJobThatAWrongClockPlannedIntoTheFuture:
    """It was ahead by a year for a moment: the job shows an instant of next year."""

    YEAR = timedelta(days=365)

    async def planned_ahead(self, stage: Stage, by: timedelta) -> Job:
        return await stage.job(HOURLY, planned_through=NOW + by, next_run=NOW + by + HOUR)

    async def test_comes_back_by_an_edit(self, stage: Stage) -> None:
        job = await stage.edit(await self.planned_ahead(stage, self.YEAR), HALF_HOURLY)
        assert NOW < job.next_run <= NOW + HOUR / 2  # type: ignore[operator]  # it is not None
        assert job.planned_through is None

    async def test_and_by_naming_its_own_line(self, stage: Stage) -> None:
        job = await stage.edit(await self.planned_ahead(stage, self.YEAR), HOURLY, anew=True)
        assert NOW < job.next_run <= NOW + HOUR  # type: ignore[operator]  # it is not None

    async def test_and_by_another_kind_of_schedule(self, stage: Stage) -> None:
        job = await self.planned_ahead(stage, self.YEAR)
        assert (await stage.edit(job, OneTimeSchedule(NOW + HOUR))).next_run == NOW + HOUR

    async def test_and_by_a_pause(self, stage: Stage) -> None:
        job = await self.planned_ahead(stage, self.YEAR)
        await stage.service.pause(job.workspace_id, job.id)
        resumed = await stage.service.resume(job.workspace_id, job.id)
        assert NOW < resumed.next_run <= NOW + HOUR  # type: ignore[operator]  # it is not None

    async def test_the_one_instant_of_a_job_that_had_its_turn_does_not_come_back(self, stage: Stage) -> None:
        """Its execution is there, so nothing would be planned, and nothing would end the job."""
        ahead = NOW + self.YEAR
        had = {"planned_through": ahead, "next_run": None}
        ended = await stage.job(
            OneTimeSchedule(ahead), status=JobStatus.INACTIVE, inactive_reason=InactiveReason.COMPLETED, **had
        )
        assert await stage.edit(ended, OneTimeSchedule(ahead), anew=True) == ended
        paused = await stage.job(OneTimeSchedule(ahead), status=JobStatus.PAUSED, **had)
        assert (await stage.service.resume(paused.workspace_id, paused.id)).status is JobStatus.INACTIVE

    async def test_a_clock_that_goes_back_by_less_runs_nothing_twice(self, stage: Stage) -> None:
        by = timedelta(days=1)
        job = await self.planned_ahead(stage, by)
        assert (await stage.edit(job, HALF_HOURLY)).next_run == NOW + by + HOUR / 2


def test_a_deleted_job_forgets_what_it_sent() -> None:
    """Rows of jobs stay; secrets and personal data in them need not."""
    definition = make_definition(
        callback_url="https://chat.example:8443/services/T0/secret?token=secret",
        payload=b'{"patient":"x"}',
        headers=(("authorization", "Bearer x"),),
        metadata={"a": "b"},
    )
    after = deleted(make_job("wsp_1", definition=definition), NOW).definition
    assert (after.payload, after.headers, after.metadata) == (b"null", (), {})
    assert (after.name, after.callback_url) == (definition.name, "https://chat.example:8443/")

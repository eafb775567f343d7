from datetime import UTC, datetime, timedelta

import pytest

from cronhook_core.domain.ids import scheduled_execution_id
from cronhook_core.domain.job import InactiveReason
from cronhook_core.domain.planning import DueJob
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.engine.planner import plan_job, plan_jobs

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def due(schedule: Schedule, next_run: datetime = NOON, planned_through: datetime | None = None) -> DueJob:
    return DueJob(
        id="job_1",
        workspace_id="wsp_1",
        host="receiver.example",
        revision=3,
        schedule=schedule,
        next_run=next_run,
        planned_through=planned_through,
        updated_at=NOON - MINUTE,
    )


EVERY_MINUTE = CronSchedule("* * * * *")


def test_the_due_instant_is_queued_and_the_next_one_follows() -> None:
    plan = plan_job(due(EVERY_MINUTE), NOON + timedelta(milliseconds=3))
    assert plan.execution is not None
    assert plan.execution.scheduled_for == plan.execution.available_at == plan.planned_through == NOON
    assert plan.execution.missed_count == 0
    assert plan.execution.missed_from is None
    assert (plan.revision, plan.expected_next_run, plan.next_run) == (3, NOON, NOON + MINUTE)
    assert plan.inactive_reason is None


def test_after_a_downtime_the_latest_instant_runs_and_counts_the_earlier_ones() -> None:
    plan = plan_job(due(EVERY_MINUTE), NOON + 5 * MINUTE + timedelta(seconds=10))
    assert plan.execution is not None
    assert plan.execution.scheduled_for == NOON + 5 * MINUTE
    assert (plan.execution.missed_count, plan.execution.missed_from) == (5, NOON)
    assert plan.next_run == NOON + 6 * MINUTE


def test_an_execution_has_the_same_id_whoever_plans_it_and_whenever() -> None:
    first = plan_job(due(EVERY_MINUTE), NOON).execution
    later = plan_job(due(EVERY_MINUTE), NOON + timedelta(seconds=50)).execution
    assert first is not None
    assert later is not None
    assert first.id == later.id == scheduled_execution_id("job_1", NOON)


def test_a_clock_that_stepped_back_plans_nothing_that_was_planned() -> None:
    planned_through = NOON + 60 * MINUTE
    plan = plan_job(due(EVERY_MINUTE, planned_through=planned_through), NOON)
    assert plan.next_run == planned_through + MINUTE
    assert plan.planned_through == planned_through


@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=400)])
def test_a_one_time_job_runs_once_however_late(late: timedelta) -> None:
    plan = plan_job(due(OneTimeSchedule(NOON)), NOON + late)
    assert plan.execution is not None
    assert plan.execution.scheduled_for == NOON
    assert (plan.next_run, plan.inactive_reason, plan.planned_through) == (None, None, NOON)


def test_a_job_that_means_nothing_any_more_becomes_inactive_and_stops_nobody() -> None:
    plans = plan_jobs([due(CronSchedule.stored("* * * * *", "Mars/Olympus")), due(EVERY_MINUTE)], NOON)
    assert plans[0].execution is None
    assert plans[0].inactive_reason is InactiveReason.UNPLANNABLE
    assert plans[1].execution is not None

"""Moving the instants of cron jobs: the rules of time zones have changed, or the clock was wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.planning import DueJob, Rescheduling
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, make_due_job, make_plan
from cronhook_core.testing.job_store.racing import ROUNDS, race, several
from cronhook_core.testing.job_store.scene import FIRST, LATER, JobStoreSuite, OpenStore, Scene

MICROSECOND = timedelta(microseconds=1)


def moving(job: Job, **changes: Any) -> Rescheduling:
    """The move of a job to LATER."""
    assert job.next_run is not None
    made = Rescheduling(
        job_id=job.id,
        revision=job.revision,
        expected_next_run=job.next_run,
        next_run=LATER,
        planned_through=job.planned_through,
    )
    return evolve(made, **changes)


class RememberingZoneRules(JobStoreSuite):
    async def test_a_new_store_remembers_none(self, store: JobStore) -> None:
        assert await store.zone_rules() is None

    async def test_the_last_version_that_was_said_counts_for_all(self, scene: Scene, open_store: OpenStore) -> None:
        await scene.store.remember_zone_rules("2026.1")
        await scene.store.remember_zone_rules("2026.2")
        assert await scene.store.zone_rules() == "2026.2"
        assert await (await open_store()).zone_rules() == "2026.2"


class UpcomingJobs(JobStoreSuite):
    async def test_there_are_none_in_an_empty_store(self, store: JobStore) -> None:
        assert list(await store.upcoming_jobs(NOW, 10)) == []

    async def test_they_tell_what_planning_needs(self, scene: Scene) -> None:
        job = await scene.job()
        assert list(await scene.store.upcoming_jobs(NOW, 10)) == [make_due_job(job)]

    async def test_those_that_are_due_before_are_left_out(self, scene: Scene) -> None:
        job = await scene.job()
        assert [found.id for found in await scene.store.upcoming_jobs(FIRST - MICROSECOND, 10)] == [job.id]
        assert list(await scene.store.upcoming_jobs(FIRST, 10)) == []

    async def test_only_active_jobs_are_among_them(self, scene: Scene) -> None:
        active, once = await scene.job(), await scene.job(schedule=OneTimeSchedule(LATER), next_run=LATER)
        await scene.job(status=JobStatus.PAUSED, next_run=FIRST)
        await scene.job(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE, next_run=FIRST)
        await scene.job(next_run=None)
        await scene.delete(await scene.job())
        assert [found.id for found in await scene.store.upcoming_jobs(NOW, 10)] == [active.id, once.id]

    async def test_pages_lead_through_all_of_them_in_the_order_of_instants_and_ids(self, scene: Scene) -> None:
        made = [await scene.job(next_run=NOW + minutes * MINUTE) for minutes in (5, 1, 4, 1, 1, 2, 3)]
        found: list[DueJob] = []
        while page := await scene.store.upcoming_jobs(NOW, 2, after=found[-1] if found else None):
            assert len(page) <= 2
            found += page
        assert found == sorted(map(make_due_job, made), key=lambda job: (job.next_run, job.id))

    async def test_the_last_job_of_a_page_may_have_moved(self, scene: Scene) -> None:
        moved, other = await scene.job(), await scene.job(next_run=LATER + MINUTE)
        [last] = await scene.store.upcoming_jobs(NOW, 1)
        assert await scene.store.reschedule([moving(moved)]) == 1
        found = await scene.store.upcoming_jobs(NOW, 10, after=last)
        assert [job.id for job in found] == [moved.id, other.id]


class RescheduledJobs(JobStoreSuite):
    async def test_its_next_run_moves_and_nothing_else_does(self, scene: Scene) -> None:
        job = await scene.job()
        assert await scene.store.reschedule([moving(job)]) == 1
        assert await scene.job_now(job) == evolve(job, next_run=LATER)
        assert list(await scene.store.due_jobs(FIRST, 10)) == []
        assert [due.id for due in await scene.store.due_jobs(LATER, 10)] == [job.id]

    @pytest.mark.parametrize("through", [None, NOW])
    async def test_what_it_was_planned_through_may_go_back(self, scene: Scene, through: datetime | None) -> None:
        job = await scene.job(planned_through=LATER + timedelta(days=365), next_run=LATER + timedelta(days=366))
        assert await scene.store.reschedule([moving(job, planned_through=through)]) == 1
        assert await scene.job_now(job) == evolve(job, next_run=LATER, planned_through=through)

    async def test_the_instant_may_be_the_same(self, scene: Scene) -> None:
        job = await scene.job(planned_through=LATER)
        assert await scene.store.reschedule([moving(job, next_run=FIRST, planned_through=None)]) == 1
        assert await scene.job_now(job) == evolve(job, planned_through=None)
        assert [due.id for due in await scene.store.due_jobs(FIRST, 10)] == [job.id]

    async def test_moving_nothing_is_harmless(self, store: JobStore) -> None:
        assert await store.reschedule([]) == 0

    async def test_a_repeat_moves_nothing(self, scene: Scene) -> None:
        jobs = await scene.jobs(3)
        moves = [moving(job) for job in jobs]
        assert await scene.store.reschedule(moves) == 3
        assert await scene.store.reschedule(moves) == 0

    @pytest.mark.parametrize(
        "changes",
        [{"revision": 2}, {"expected_next_run": FIRST + MICROSECOND}, {"job_id": "job_unknown"}],
    )
    async def test_a_job_in_another_state_stays_where_it_is(self, scene: Scene, changes: dict[str, Any]) -> None:
        job, other = await scene.jobs(2)
        assert await scene.store.reschedule([moving(job, **changes), moving(other)]) == 1
        assert await scene.job_now(job) == job

    @pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.INACTIVE])
    async def test_so_does_one_that_is_not_active(self, scene: Scene, status: JobStatus) -> None:
        job = await scene.job(status=status, next_run=FIRST)
        assert await scene.store.reschedule([moving(job)]) == 0
        assert await scene.job_now(job) == job

    async def test_of_a_plan_and_a_move_one_takes_place(self, scene: Scene, open_store: OpenStore) -> None:
        planner, other = await several(scene, open_store, 2)
        jobs = await scene.jobs(ROUNDS)
        outcomes = await race((planner.plan([make_plan(job)], FIRST), other.reschedule([moving(job)])) for job in jobs)
        for job, (queued, moved) in zip(jobs, outcomes, strict=True):
            assert len(queued) + moved == 1
            stored = await scene.job_now(job)
            assert stored.next_run == (LATER if moved else FIRST + MINUTE)

    async def test_of_two_that_move_it_one_does(self, scene: Scene, open_store: OpenStore) -> None:
        one, other = await several(scene, open_store, 2)
        jobs = await scene.jobs(10)
        moves = [moving(job) for job in jobs]
        [(first, second)] = await race([(one.reschedule(moves), other.reschedule(moves[::-1]))])
        assert first + second == 10

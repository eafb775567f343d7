"""Creating and changing jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.domain.job_changes import deleted
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.errors import NotFound
from cronhook_core.ports.job_catalog import CancelQueued, JobFilter
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, make_definition, make_id, make_job, retry
from cronhook_core.testing.job_store.scene import DELETING, LATER, PAUSING, JobStoreSuite, OpenStore, Scene


class JobCreation(JobStoreSuite):
    async def test_a_job_is_read_as_it_was_written(self, scene: Scene, open_store: OpenStore) -> None:
        job = await scene.job()
        assert await scene.store.get_job(job.workspace_id, job.id) == job
        assert await (await open_store()).get_job(job.workspace_id, job.id) == job

    @pytest.mark.parametrize(
        "changes",
        [
            {"status": JobStatus.PAUSED},
            {"status": JobStatus.INACTIVE, "inactive_reason": InactiveReason.EXHAUSTED},
            {"schedule": OneTimeSchedule(LATER)},
            {"revision": 7, "planned_through": NOW, "updated_at": LATER},
        ],
    )
    async def test_a_job_in_any_state_is_stored(self, scene: Scene, changes: dict[str, Any]) -> None:
        job = await scene.job(**changes)
        assert await scene.job_now(job) == job

    async def test_repeating_it_is_a_no_op(self, scene: Scene) -> None:
        job = await scene.job()
        other = evolve(job, definition=make_definition(name="another"))
        await scene.store.create_job(other, max_jobs=1, now=NOW)
        assert await scene.job_now(job) == job
        assert await scene.store.count_jobs(job.workspace_id) == 1

    async def test_an_unknown_workspace_is_not_found(self, store: JobStore) -> None:
        with pytest.raises(NotFound):
            await store.create_job(make_job(make_id("wsp")), max_jobs=None, now=NOW)


class JobChange(JobStoreSuite):
    async def test_the_job_is_replaced(self, scene: Scene, open_store: OpenStore) -> None:
        job = await scene.job()
        changed = job.changed(
            LATER,
            definition=make_definition(name="else", schedule=OneTimeSchedule(LATER), tags=("new",), payload=b"[1]"),
            host="else.example",
            status=JobStatus.ACTIVE,
            next_run=LATER,
        )
        assert await scene.store.change_job(changed, expected=job, cancel=None, max_jobs=None, now=LATER)
        assert await (await open_store()).get_job(job.workspace_id, job.id) == changed

    async def test_what_reads_fill_in_is_not_stored(self, scene: Scene) -> None:
        job = await scene.job()
        invented = job.changed(LATER, last_run=NOW, last_run_status=ExecutionStatus.FAILED)
        await scene.change(job, invented)
        stored = await scene.job_now(job)
        assert (stored.last_run, stored.last_run_status) == (None, None)

    async def test_it_fails_when_another_change_came_before(self, scene: Scene) -> None:
        job = await scene.job()
        first = await scene.change(job, job.changed(LATER, host="first.example"))
        second = job.changed(LATER, host="second.example")
        assert not await scene.store.change_job(second, expected=job, cancel=None, max_jobs=None, now=LATER)
        assert await scene.job_now(job) == first

    async def test_it_fails_when_the_job_was_planned_meanwhile(self, scene: Scene) -> None:
        job = await scene.job()
        execution = await scene.planned(job)
        assert not await scene.store.change_job(
            deleted(job, LATER), expected=job, cancel=DELETING, max_jobs=None, now=LATER
        )
        assert (await scene.now_of(execution)).status is ExecutionStatus.QUEUED
        assert (await scene.job_now(job)).status is JobStatus.ACTIVE

    async def test_repeating_it_changes_nothing(self, scene: Scene) -> None:
        job = await scene.job()
        changed = await scene.change(job, job.changed(LATER, host="once.example"))
        assert not await scene.store.change_job(changed, expected=job, cancel=None, max_jobs=None, now=LATER)
        assert await scene.job_now(job) == changed

    async def test_an_absent_job_is_not_changed(self, scene: Scene) -> None:
        job = make_job((await scene.workspace()).id)
        assert not await scene.store.change_job(job.changed(LATER), expected=job, cancel=None, max_jobs=None, now=LATER)
        assert await scene.store.get_job(job.workspace_id, job.id) is None

    async def test_a_foreign_job_is_not_changed(self, scene: Scene) -> None:
        job = await scene.job()
        claimed = evolve(job, workspace_id=(await scene.another_workspace()).id)
        assert not await scene.store.change_job(
            claimed.changed(LATER), expected=claimed, cancel=None, max_jobs=None, now=LATER
        )
        assert await scene.job_now(job) == job

    async def test_a_deleted_job_is_not_changed(self, scene: Scene) -> None:
        gone = await scene.delete(await scene.job())
        revived = gone.changed(LATER, status=JobStatus.ACTIVE, next_run=LATER, deleted_at=None)
        assert not await scene.store.change_job(revived, expected=gone, cancel=None, max_jobs=None, now=LATER)
        assert await scene.store.get_job(gone.workspace_id, gone.id) is None

    @pytest.mark.parametrize(
        ("cancel", "ended"),
        [
            (None, set()),
            (PAUSING, {Trigger.SCHEDULE}),
            (DELETING, {Trigger.SCHEDULE, Trigger.MANUAL, Trigger.REPLAY}),
            (CancelQueued(reason="other words", manual_too=True), set(Trigger)),
        ],
    )
    async def test_it_ends_queued_executions(
        self, scene: Scene, cancel: CancelQueued | None, ended: set[Trigger]
    ) -> None:
        job, bystander = await scene.jobs(2)
        queued = [await scene.planned(job)]
        queued += [await scene.queued(job, trigger=trigger) for trigger in (Trigger.MANUAL, Trigger.REPLAY)]
        untouched = await scene.queued(bystander)
        await scene.change(await scene.job_now(job), (await scene.job_now(job)).changed(LATER), cancel)
        for execution in queued:
            stored = await scene.now_of(execution)
            if execution.trigger in ended and cancel is not None:
                assert (stored.status, stored.reason) == (ExecutionStatus.CANCELLED, cancel.reason)
                assert stored.finished_at == LATER
            else:
                assert stored == execution
        assert await scene.now_of(untouched) == untouched

    async def test_it_leaves_alone_what_is_running_or_final(self, scene: Scene) -> None:
        job = await scene.job()
        running = await scene.now_of(await scene.running(job))
        final = await scene.now_of(await scene.queued(job))
        await scene.store.cancel_execution(job.workspace_id, final.id, now=NOW)
        final = await scene.now_of(final)
        await scene.delete(job)
        assert await scene.now_of(running) == running
        assert await scene.now_of(final) == final

    async def test_a_retry_that_waits_is_cancelled_by_a_pause(self, scene: Scene) -> None:
        job = await scene.job()
        scheduled, by_hand = await scene.running(job, Trigger.SCHEDULE), await scene.running(job)
        await scene.store.finish([retry(scheduled), retry(by_hand)], LATER)
        await scene.pause(job)
        assert (await scene.now_of(scheduled)).reason == "paused"
        assert (await scene.now_of(by_hand)).status is ExecutionStatus.QUEUED

    async def test_a_resumed_job_is_due_again_from_then_on(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.pause(job)
        assert list(await scene.store.due_jobs(LATER + MINUTE, 10)) == []
        await scene.resume(job)
        assert [due.next_run for due in await scene.store.due_jobs(LATER + MINUTE, 10)] == [LATER + MINUTE]


class JobDeletion(JobStoreSuite):
    async def test_it_is_hidden_from_every_read(self, scene: Scene) -> None:
        job, kept = await scene.jobs(2)
        await scene.delete(job)
        assert await scene.store.get_job(job.workspace_id, job.id) is None
        assert list(await scene.store.list_jobs(job.workspace_id, JobFilter(), limit=10)) == [kept]
        assert list(await scene.store.list_jobs(job.workspace_id, JobFilter(status=JobStatus.INACTIVE), limit=1)) == []
        assert await scene.store.count_jobs(job.workspace_id) == 1
        assert [due.id for due in await scene.store.due_jobs(LATER, 10)] == [kept.id]

    async def test_its_executions_and_attempts_are_still_read(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job)
        await scene.delete(job)
        execution = await scene.now_of(claim)
        [attempt] = await scene.attempts(claim)
        assert list(await scene.store.list_executions(job.workspace_id, job.id, limit=10)) == [execution]
        page, total = await scene.store.list_attempts(job.workspace_id, job.id, offset=0, limit=10)
        assert (list(page), total) == ([attempt], 1)

    async def test_its_id_stays_taken(self, scene: Scene) -> None:
        job = await scene.job()
        await scene.delete(job)
        await scene.store.create_job(job, max_jobs=None, now=LATER)
        assert await scene.store.get_job(job.workspace_id, job.id) is None


class JobsOfOtherWorkspaces(JobStoreSuite):
    async def test_no_read_crosses_workspaces(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job)
        foreign = (await scene.another_workspace()).id
        store = scene.store
        assert await store.get_job(foreign, job.id) is None
        assert list(await store.list_jobs(foreign, JobFilter(), limit=10)) == []
        assert await store.count_jobs(foreign) == 0
        assert await store.get_execution(foreign, claim.execution_id) is None
        assert list(await store.list_executions(foreign, job.id, limit=10)) == []
        page, total = await store.list_attempts(foreign, job.id, offset=0, limit=10)
        assert (list(page), total) == ([], 0)
        assert list(await store.attempts_of(foreign, claim.execution_id)) == []

    async def test_two_workspaces_may_hold_jobs_alike(self, scene: Scene) -> None:
        mine = await scene.job(name="the same")
        theirs = await scene.job(workspace_id=(await scene.another_workspace()).id, name="the same")
        assert list(await scene.store.list_jobs(mine.workspace_id, JobFilter(text="same"), limit=10)) == [mine]
        assert list(await scene.store.list_jobs(theirs.workspace_id, JobFilter(text="same"), limit=10)) == [theirs]


class ScheduleChange(JobStoreSuite):
    async def test_planning_follows_the_new_schedule(self, scene: Scene) -> None:
        job = await scene.job()
        hourly = make_definition(schedule=CronSchedule("0 * * * *", "Europe/Berlin"))
        await scene.change(job, job.changed(NOW, definition=hourly, next_run=LATER))
        assert list(await scene.store.due_jobs(LATER - timedelta(microseconds=1), 10)) == []
        [due] = await scene.store.due_jobs(LATER, 10)
        assert (due.schedule, due.next_run, due.revision) == (hourly.schedule, LATER, 2)

    async def test_executions_already_queued_stay(self, scene: Scene) -> None:
        execution = await scene.planned(await scene.job())
        job = await scene.job_now(execution)
        await scene.change(job, job.changed(LATER, definition=make_definition(schedule=OneTimeSchedule(LATER))))
        assert await scene.now_of(execution) == execution

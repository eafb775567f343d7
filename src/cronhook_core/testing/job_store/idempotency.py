"""Requests that may be repeated: their answers are stored beside their effects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest
from attrs import evolve, frozen

from cronhook_core.domain.execution import Execution
from cronhook_core.domain.idempotency import KEPT_FOR, IdempotentRequest, StoredAnswer
from cronhook_core.domain.job import Job
from cronhook_core.errors import AlreadyAnswered, IdempotencyMismatch, NotFound, Quota, QuotaExceeded
from cronhook_core.testing.builders import NOW, make_execution, make_id, make_idempotent_request, make_job
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

MICROSECOND = timedelta(microseconds=1)


@frozen
class Act:
    """A write under an idempotency key: ``perform`` does it, ``count`` tells how often it has taken place."""

    perform: Callable[[IdempotentRequest, datetime], Awaitable[object]]
    count: Callable[[], Awaitable[int]]


async def creating(scene: Scene) -> Act:
    """Creates a job, a new one each time, as a repeated request would."""
    workspace_id = (await scene.workspace()).id

    async def perform(request: IdempotentRequest, now: datetime) -> None:
        await scene.store.create_job(make_job(workspace_id), max_jobs=None, now=now, idempotency=request)

    return Act(perform, lambda: scene.store.count_jobs(workspace_id))


async def changing(scene: Scene) -> Act:
    """Changes a job, from whatever it is by then."""
    job = await scene.job()

    async def perform(request: IdempotentRequest, now: datetime) -> None:
        stored = await scene.job_now(job)
        assert await scene.store.change_job(
            stored.changed(now), expected=stored, cancel=None, max_jobs=None, now=now, idempotency=request
        )

    async def count() -> int:
        return (await scene.job_now(job)).revision - job.revision

    return Act(perform, count)


async def running(scene: Scene) -> Act:
    """Queues an execution, a new one each time."""
    job = await scene.job()

    async def perform(request: IdempotentRequest, now: datetime) -> None:
        await scene.store.add_execution(make_execution(job), now=now, idempotency=request)

    async def count() -> int:
        return len(await scene.store.list_executions(job.workspace_id, job.id, limit=100))

    return Act(perform, count)


async def cancelling(scene: Scene) -> Act:
    """Cancels an execution, another one each time."""
    job = await scene.job()
    executions = [await scene.queued(job) for _ in range(4)]
    left = iter(executions)

    async def perform(request: IdempotentRequest, now: datetime) -> None:
        execution = next(left)
        assert await scene.store.cancel_execution(job.workspace_id, execution.id, now=now, idempotency=request)

    async def count() -> int:
        return sum([(await scene.now_of(execution)).status.is_final for execution in executions])

    return Act(perform, count)


every_act = pytest.mark.parametrize("prepare", [creating, changing, running, cancelling])
Prepare = Callable[[Scene], Awaitable[Act]]


class Idempotency(JobStoreSuite):
    @every_act
    @pytest.mark.parametrize("payload_at", [None, 0, 100])
    async def test_a_repeat_gets_the_stored_answer(
        self, scene: Scene, prepare: Prepare, payload_at: int | None
    ) -> None:
        act = await prepare(scene)
        answer = StoredAnswer(
            status=202,
            headers=(("location", "/née"), ("x-a", ""), ("x-a", "2")),
            body=bytes(range(256)),
            payload_at=payload_at,
        )
        request = make_idempotent_request(answer=lambda _: answer)
        await act.perform(request, NOW)
        assert await act.count() == 1
        for now in (NOW, NOW + KEPT_FOR - MICROSECOND):
            with pytest.raises(AlreadyAnswered) as repeated:
                await act.perform(evolve(request, answer=_unasked), now)
            assert repeated.value.answer == answer
        assert await act.count() == 1

    @every_act
    async def test_another_body_under_the_same_key_is_a_mistake(self, scene: Scene, prepare: Prepare) -> None:
        act = await prepare(scene)
        request = make_idempotent_request()
        await act.perform(request, NOW)
        with pytest.raises(IdempotencyMismatch):
            await act.perform(evolve(request, fingerprint=b"another"), NOW)
        assert await act.count() == 1

    @every_act
    async def test_after_a_day_the_key_is_free_again(self, scene: Scene, prepare: Prepare) -> None:
        act = await prepare(scene)
        request = make_idempotent_request()
        await act.perform(request, NOW)
        await act.perform(evolve(request, fingerprint=b"another"), NOW + KEPT_FOR)
        assert await act.count() == 2
        with pytest.raises(IdempotencyMismatch):
            await act.perform(request, NOW + KEPT_FOR)

    @every_act
    async def test_keys_and_paths_are_apart(self, scene: Scene, prepare: Prepare) -> None:
        act = await prepare(scene)
        request = make_idempotent_request(key="a/b", path="/v1/jobs")
        await act.perform(request, NOW)
        await act.perform(evolve(request, key="a/B"), NOW)
        await act.perform(evolve(request, path="/v1/jobs/"), NOW)
        assert await act.count() == 3

    @every_act
    async def test_an_answer_that_cannot_be_rendered_undoes_the_effect(self, scene: Scene, prepare: Prepare) -> None:
        act = await prepare(scene)
        request = make_idempotent_request(answer=_unasked)
        with pytest.raises(ZeroDivisionError):
            await act.perform(request, NOW)
        assert await act.count() == 0
        await act.perform(evolve(request, answer=make_idempotent_request().answer), NOW)
        assert await act.count() == 1

    @every_act
    async def test_so_many_answers_are_kept_in_a_day_and_no_more(self, scene: Scene, prepare: Prepare) -> None:
        act = await prepare(scene)
        first = make_idempotent_request(max_records=2)
        await act.perform(first, NOW)
        await act.perform(make_idempotent_request(max_records=2), NOW + KEPT_FOR - MICROSECOND)
        with pytest.raises(QuotaExceeded) as refused:
            await act.perform(make_idempotent_request(max_records=2), NOW + KEPT_FOR - MICROSECOND)
        assert (refused.value.limit, refused.value.quota) == (2, Quota.IDEMPOTENCY_RECORDS)
        assert await act.count() == 2
        with pytest.raises(AlreadyAnswered):
            await act.perform(first, NOW + KEPT_FOR - MICROSECOND)

    @every_act
    async def test_the_next_day_has_room_again(self, scene: Scene, prepare: Prepare) -> None:
        act = await prepare(scene)
        await act.perform(make_idempotent_request(max_records=1), NOW)
        await act.perform(make_idempotent_request(max_records=1), NOW + KEPT_FOR)
        with pytest.raises(QuotaExceeded):
            await act.perform(make_idempotent_request(max_records=1), NOW + KEPT_FOR + MICROSECOND)
        assert await act.count() == 2

    async def test_a_day_begins_with_an_answer_that_is_kept(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        kept_at = NOW + KEPT_FOR / 2
        for now, request in ((NOW, None), (kept_at, make_idempotent_request(max_records=1)), (kept_at, None)):
            await scene.store.create_job(make_job(workspace_id), max_jobs=None, now=now, idempotency=request)
        for now, is_allowed in ((kept_at + KEPT_FOR - MICROSECOND, False), (kept_at + KEPT_FOR, True)):
            with nullcontext() if is_allowed else pytest.raises(QuotaExceeded):
                request = make_idempotent_request(max_records=1)
                await scene.store.create_job(make_job(workspace_id), max_jobs=None, now=now, idempotency=request)

    async def test_a_clock_that_was_ahead_keeps_nobody_out(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        for now in (NOW + KEPT_FOR, NOW):
            request = make_idempotent_request(max_records=1)
            await scene.store.create_job(make_job(workspace_id), max_jobs=None, now=now, idempotency=request)

    async def test_creations_that_come_together_share_what_room_there_is(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        requests = [None if n % 4 == 0 else make_idempotent_request(max_records=3) for n in range(12)]
        outcomes = await asyncio.gather(
            *(
                scene.store.create_job(make_job(workspace_id), max_jobs=None, now=NOW, idempotency=request)
                for request in requests
            ),
            return_exceptions=True,
        )
        assert [request is None for request, outcome in zip(requests, outcomes, strict=True) if outcome is None].count(
            False
        ) == 3
        assert await scene.store.count_jobs(workspace_id) == 6

    async def test_workspaces_are_apart(self, scene: Scene) -> None:
        request = make_idempotent_request()
        for workspace in (await scene.workspace(), await scene.another_workspace()):
            job = make_job(workspace.id)
            await scene.store.create_job(job, max_jobs=None, now=NOW, idempotency=evolve(request, max_records=1))
            assert await scene.job_now(job) == job

    async def test_the_answer_is_rendered_from_the_effect(self, scene: Scene) -> None:
        seen: list[Job | Execution] = []

        def answer(effect: Job | Execution) -> StoredAnswer:
            seen.append(effect)
            return StoredAnswer(status=200, headers=(), body=effect.id.encode())

        job = make_job((await scene.workspace()).id)
        execution = make_execution(job)
        changed = job.changed(LATER, host="else.example")
        store = scene.store
        await store.create_job(job, max_jobs=None, now=NOW, idempotency=make_idempotent_request(answer=answer))
        assert seen == [job] * len(seen) != []
        seen.clear()
        await store.change_job(
            changed,
            expected=job,
            cancel=None,
            max_jobs=None,
            now=NOW,
            idempotency=make_idempotent_request(answer=answer),
        )
        assert seen == [changed] * len(seen) != []
        seen.clear()
        await store.add_execution(execution, now=NOW, idempotency=make_idempotent_request(answer=answer))
        assert seen == [execution] * len(seen) != []
        seen.clear()
        cancelled = await store.cancel_execution(
            job.workspace_id, execution.id, now=NOW, idempotency=make_idempotent_request(answer=answer)
        )
        assert seen == [cancelled] * len(seen) != []

    async def test_a_repeat_is_answered_even_when_it_would_fail_by_now(self, scene: Scene) -> None:
        job = make_job((await scene.workspace()).id)
        created, ran = make_idempotent_request(), make_idempotent_request()
        await scene.store.create_job(job, max_jobs=1, now=NOW, idempotency=created)
        await scene.store.add_execution(make_execution(job), now=NOW, idempotency=ran)
        with pytest.raises(AlreadyAnswered):
            await scene.store.create_job(make_job(job.workspace_id), max_jobs=1, now=NOW, idempotency=created)
        await scene.delete(job)
        with pytest.raises(AlreadyAnswered):
            await scene.store.add_execution(make_execution(job), now=NOW, idempotency=ran)

    async def test_a_repeat_can_be_recognised_without_doing_anything(self, scene: Scene) -> None:
        store, workspace_id = scene.store, (await scene.workspace()).id
        request = make_idempotent_request()
        await store.refuse_repeat(workspace_id, request, now=NOW)
        job = make_job(workspace_id)
        await store.create_job(job, max_jobs=None, now=NOW, idempotency=request)
        with pytest.raises(AlreadyAnswered) as repeated:
            await store.refuse_repeat(workspace_id, evolve(request, answer=_unasked), now=NOW + KEPT_FOR - MICROSECOND)
        assert repeated.value.answer.body == job.id.encode()
        with pytest.raises(IdempotencyMismatch):
            await store.refuse_repeat(workspace_id, evolve(request, fingerprint=b"another"), now=NOW)
        await store.refuse_repeat(workspace_id, request, now=NOW + KEPT_FOR)
        await store.refuse_repeat(workspace_id, evolve(request, key="other"), now=NOW)
        await store.refuse_repeat((await scene.another_workspace()).id, request, now=NOW)
        assert await store.count_jobs(workspace_id) == 1

    async def test_what_failed_left_no_answer(self, scene: Scene) -> None:
        store, job = scene.store, await scene.job()
        request = make_idempotent_request()
        with pytest.raises(QuotaExceeded):
            await store.create_job(make_job(job.workspace_id), max_jobs=1, now=NOW, idempotency=request)
        stale = evolve(job, revision=9)
        assert not await store.change_job(
            job.changed(NOW), expected=stale, cancel=None, max_jobs=None, now=NOW, idempotency=request
        )
        with pytest.raises(NotFound):
            await store.add_execution(make_execution(make_job(job.workspace_id)), now=NOW, idempotency=request)
        unknown = make_id("exe")
        assert await store.cancel_execution(job.workspace_id, unknown, now=NOW, idempotency=request) is None
        await store.create_job(make_job(job.workspace_id), max_jobs=2, now=NOW, idempotency=request)
        assert await store.count_jobs(job.workspace_id) == 2

    async def test_keys_are_taken_literally(self, scene: Scene) -> None:
        workspace_id = (await scene.workspace()).id
        for key in ("%", "'", "née", "nee\u0301", "a|b", "ünï 🦊", "x" * 255):
            request = make_idempotent_request(key=key)
            job = make_job(workspace_id)
            await scene.store.create_job(job, max_jobs=None, now=NOW, idempotency=request)
            with pytest.raises(AlreadyAnswered) as repeated:
                await scene.store.create_job(make_job(workspace_id), max_jobs=None, now=NOW, idempotency=request)
            assert repeated.value.answer.body == job.id.encode()


def _unasked(_: object) -> StoredAnswer:
    raise ZeroDivisionError("this answer cannot be rendered")

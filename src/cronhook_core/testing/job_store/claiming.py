"""Taking executions in hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from cronhook_core.domain.claim import Claim, ClaimRef
from cronhook_core.domain.execution import Attempt, ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.testing.builders import MINUTE, NOW, gone, make_definition, make_id, retry
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

MICROSECOND = timedelta(microseconds=1)


class Claiming(JobStoreSuite):
    async def test_a_claim_tells_everything_that_is_needed_to_send(self, scene: Scene) -> None:
        job = await scene.job(
            host="receiver.example",
            headers=(("x-a", "1"),),
            payload=b'{"a": 1}',
            timeout=timedelta(seconds=7),
            retry_policy=RetryPolicy(delays=[MINUTE]),
        )
        execution = await scene.planned(job)
        assert await scene.claim(execution) == Claim(
            execution_id=execution.id,
            attempt_no=1,
            job_id=job.id,
            workspace_id=job.workspace_id,
            host="receiver.example",
            trigger=Trigger.SCHEDULE,
            scheduled_for=execution.scheduled_for,
            retries_used=0,
            losses=0,
            callback_url=job.definition.callback_url,
            headers=job.definition.headers,
            payload=job.definition.payload,
            timeout=job.definition.timeout,
            retry_policy=job.definition.retry_policy,
        )

    async def test_the_job_counts_as_it_stands(self, scene: Scene) -> None:
        job = await scene.job()
        execution = await scene.planned(job)
        today = make_definition(
            callback_url="https://new.example/", headers=(("x-b", "2"),), payload=b"2", timeout=timedelta(seconds=2)
        )
        stored = await scene.job_now(job)
        await scene.change(stored, stored.changed(LATER, definition=today, host="new.example"))
        claim = await scene.claim(execution)
        assert (claim.callback_url, claim.host) == ("https://new.example/", "new.example")
        assert (claim.headers, claim.payload, claim.timeout) == (today.headers, today.payload, today.timeout)

    async def test_the_attempt_is_on_record_before_anything_is_sent(self, scene: Scene) -> None:
        execution = await scene.planned(await scene.job())
        worker_id = await scene.worker()
        await scene.claim(execution, worker_id=worker_id, now=LATER)
        assert await scene.now_of(execution) == evolve(
            execution, status=ExecutionStatus.RUNNING, attempt_no=1, worker_id=worker_id, started_at=LATER
        )
        assert await scene.attempts(execution) == [
            Attempt(
                execution_id=execution.id,
                job_id=execution.job_id,
                workspace_id=execution.workspace_id,
                attempt_no=1,
                scheduled_for=execution.scheduled_for,
                worker_id=worker_id,
                started_at=LATER,
            )
        ]

    async def test_a_retry_is_the_next_attempt(self, scene: Scene) -> None:
        first = await scene.running(await scene.job())
        await scene.store.finish([retry(first, LATER)], LATER)
        second = await scene.claim(await scene.now_of(first), now=LATER + MINUTE)
        assert (second.attempt_no, second.retries_used, second.losses) == (2, 1, 0)
        assert [a.started_at for a in await scene.attempts(first)] == [LATER, LATER + MINUTE]
        assert (await scene.now_of(first)).started_at == LATER

    async def test_a_claim_tells_of_losses(self, scene: Scene) -> None:
        execution = await scene.lost(await scene.job(), 1)
        claim = await scene.claim(execution)
        assert (claim.attempt_no, claim.retries_used, claim.losses) == (2, 0, 1)

    async def test_nothing_is_claimed_before_its_time(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job(), available_at=LATER)
        worker_id = await scene.worker()
        early = await scene.store.claim([execution.id], worker_id=worker_id, now=LATER - MICROSECOND)
        assert list(early) == []
        assert await scene.now_of(execution) == execution
        assert len(await scene.store.claim([execution.id], worker_id=worker_id, now=LATER)) == 1

    async def test_what_was_claimed_cannot_be_claimed_again(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        worker_id = await scene.worker()
        await scene.claim(execution, worker_id=worker_id)
        running = await scene.now_of(execution)
        for claimer in (worker_id, await scene.worker()):
            assert list(await scene.store.claim([execution.id], worker_id=claimer, now=LATER + MINUTE)) == []
        assert await scene.now_of(execution) == running
        assert len(await scene.attempts(execution)) == 1

    async def test_claims_come_in_the_order_of_their_names(self, scene: Scene) -> None:
        job, other = await scene.jobs(2)
        made = [await scene.queued(job if n % 2 else other, at=NOW - n * MINUTE) for n in range(6)]
        wanted = [made[n].id for n in (3, 0, 5, 1, 4, 2)]
        claims = await scene.store.claim(wanted, worker_id=await scene.worker(), now=LATER)
        assert [claim.execution_id for claim in claims] == wanted

    async def test_doubled_and_unknown_names_do_no_harm(self, scene: Scene) -> None:
        first, second = [await scene.queued(await scene.job()) for _ in range(2)]
        names = [first.id, make_id("exe"), second.id, first.id, "", "exe_'; DROP TABLE executions; --", second.id]
        claims = await scene.store.claim(names, worker_id=await scene.worker(), now=LATER)
        assert [(c.execution_id, c.attempt_no) for c in claims] == [(first.id, 1), (second.id, 1)]
        assert len(await scene.attempts(first)) == 1

    async def test_claiming_nothing_gives_nothing(self, scene: Scene) -> None:
        assert list(await scene.store.claim([], worker_id=await scene.worker(), now=LATER)) == []

    async def test_a_large_batch_is_claimed_at_once(self, scene: Scene) -> None:
        job = await scene.job()
        names = [(await scene.queued(job)).id for _ in range(300)]
        claims = await scene.store.claim(names, worker_id=await scene.worker(), now=LATER)
        assert [claim.execution_id for claim in claims] == names


class ClaimsWithinBytes(JobStoreSuite):
    """A claim takes what fits, in the order of its names, and always something."""

    async def test_it_ends_before_what_no_longer_fits(self, scene: Scene) -> None:
        job = await scene.job(payload=json_text(20_000))
        names = [(await scene.queued(job)).id for _ in range(5)]
        size, worker_id = job.definition.stored_bytes, await scene.worker()
        for max_bytes, expected in ((2 * size, names[:2]), (2 * size - 1, names[2:3]), (3 * size, names[3:])):
            claims = await scene.store.claim(names, worker_id=worker_id, now=LATER, max_bytes=max_bytes)
            assert [claim.execution_id for claim in claims] == expected
            assert {claim.payload for claim in claims} == {job.definition.payload}

    async def test_what_is_left_stays_as_it_was(self, scene: Scene) -> None:
        job = await scene.job()
        first, second = [await scene.queued(job) for _ in range(2)]
        worker_id = await scene.worker()
        await scene.store.claim([first.id, second.id], worker_id=worker_id, now=LATER, max_bytes=1)
        assert await scene.now_of(second) == second
        assert await scene.attempts(second) == []
        assert [ref.execution_id for ref in await scene.store.running(worker_id)] == [first.id]
        assert [message.execution_id for message in await scene.store.ready(LATER, 10)] == [second.id]

    async def test_the_first_is_claimed_whatever_its_size(self, scene: Scene) -> None:
        large = await scene.queued(await scene.job(payload=json_text(200_000)))
        small = await scene.queued(await scene.job())
        worker_id = await scene.worker()
        claims = await scene.store.claim([large.id, small.id], worker_id=worker_id, now=LATER, max_bytes=100)
        assert [claim.execution_id for claim in claims] == [large.id]
        assert len(claims[0].payload) == 200_000

    async def test_nothing_smaller_overtakes_what_does_not_fit(self, scene: Scene) -> None:
        small, large = await scene.job(), await scene.job(payload=json_text(50_000))
        names = [(await scene.queued(job)).id for job in (small, large, small)]
        claims = await scene.store.claim(names, worker_id=await scene.worker(), now=LATER, max_bytes=10_000)
        assert [claim.execution_id for claim in claims] == names[:1]

    async def test_names_count_in_their_order_and_once(self, scene: Scene) -> None:
        job = await scene.job()
        made = [(await scene.queued(job, at=NOW - n * MINUTE)).id for n in range(4)]
        wanted = [made[2], made[0], made[2], "exe_unknown", made[3], made[1]]
        size, worker_id = job.definition.stored_bytes, await scene.worker()
        claims = await scene.store.claim(wanted, worker_id=worker_id, now=LATER, max_bytes=3 * size)
        assert [claim.execution_id for claim in claims] == [made[2], made[0], made[3]]

    async def test_what_may_not_be_claimed_takes_no_room(self, scene: Scene) -> None:
        large, small = await scene.job(payload=json_text(50_000)), await scene.job()
        early = await scene.queued(large, available_at=LATER + MINUTE)
        suspects = [await scene.suspect(large) for _ in range(2)]
        names = [early.id, *(one.id for one in suspects), (await scene.queued(small)).id]
        size, worker_id = small.definition.stored_bytes, await scene.worker()
        claims = await scene.store.claim(names, worker_id=worker_id, now=LATER, with_suspect=False, max_bytes=size)
        assert [claim.execution_id for claim in claims] == [names[3]]
        others = [suspects[1].id, suspects[0].id, (await scene.queued(small)).id]
        room = large.definition.stored_bytes + size
        claims = await scene.store.claim(others, worker_id=worker_id, now=LATER, max_bytes=room)
        assert [claim.execution_id for claim in claims] == [others[0], others[2]]

    async def test_by_default_a_claim_takes_eight_mebibytes(self, scene: Scene) -> None:
        job = await scene.job(payload=json_text(250_000))
        names = [(await scene.queued(job)).id for _ in range(40)]
        claims = await scene.store.claim(names, worker_id=await scene.worker(), now=LATER)
        assert [claim.execution_id for claim in claims] == names[:33]


def json_text(length: int) -> bytes:
    return b'"' + b"x" * (length - 2) + b'"'


class WhatMayBeClaimed(JobStoreSuite):
    @pytest.mark.parametrize(("trigger", "allowed"), [(Trigger.SCHEDULE, 0), (Trigger.MANUAL, 1), (Trigger.REPLAY, 1)])
    async def test_a_paused_job_runs_by_hand_only(self, scene: Scene, trigger: Trigger, allowed: int) -> None:
        execution = await scene.left_queued_by_a_pause(trigger)
        claims = await scene.store.claim([execution.id], worker_id=await scene.worker(), now=LATER)
        assert len(claims) == allowed

    async def test_nothing_of_a_deleted_job(self, scene: Scene) -> None:
        job = await scene.job()
        left = [await scene.planned(job), await scene.queued(job)]
        stored = await scene.job_now(job)
        await scene.change(
            stored, stored.changed(LATER, status=JobStatus.INACTIVE, next_run=None, deleted_at=LATER), cancel=None
        )
        assert list(await scene.store.ready(LATER, 10)) == []
        names = [execution.id for execution in left]
        assert list(await scene.store.claim(names, worker_id=await scene.worker(), now=LATER)) == []

    @pytest.mark.parametrize("reason", [InactiveReason.EXHAUSTED, InactiveReason.MISSED, InactiveReason.COMPLETED])
    async def test_what_is_queued_of_an_inactive_job(self, scene: Scene, reason: InactiveReason) -> None:
        job = await scene.job()
        execution = await scene.planned(job)
        stored = await scene.job_now(job)
        await scene.change(
            stored, stored.changed(LATER, status=JobStatus.INACTIVE, inactive_reason=reason, next_run=None)
        )
        assert [message.execution_id for message in await scene.store.ready(LATER, 10)] == [execution.id]
        await scene.claim(execution)

    async def test_a_run_by_hand_of_a_job_that_is_gone(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.finish([gone(claim)], LATER)
        assert (await scene.running(await scene.job_now(claim))).attempt_no == 1

    async def test_of_suspects_the_first_named_one(self, scene: Scene) -> None:
        job = await scene.job()
        first, second = await scene.suspect(job), await scene.suspect(job)
        innocent, once = await scene.queued(job), await scene.lost(job, 1)
        names = [innocent.id, second.id, once.id, first.id]
        worker_id = await scene.worker()
        claims = await scene.store.claim(names, worker_id=worker_id, now=LATER)
        assert [claim.execution_id for claim in claims] == [innocent.id, second.id, once.id]
        claims = await scene.store.claim(names, worker_id=worker_id, now=LATER)
        assert [(claim.execution_id, claim.losses) for claim in claims] == [(first.id, 2)]

    async def test_no_suspect_where_none_is_wanted(self, scene: Scene) -> None:
        job = await scene.job()
        suspect, innocent = await scene.suspect(job), await scene.queued(job)
        names = [suspect.id, innocent.id]
        worker_id = await scene.worker()
        claims = await scene.store.claim(names, worker_id=worker_id, now=LATER, with_suspect=False)
        assert [claim.execution_id for claim in claims] == [innocent.id]
        assert await scene.now_of(suspect) == suspect

    async def test_a_suspect_that_cannot_be_claimed_takes_no_place(self, scene: Scene) -> None:
        job = await scene.job()
        taken, free = await scene.suspect(job), await scene.suspect(job)
        await scene.claim(taken)
        claims = await scene.store.claim([taken.id, free.id], worker_id=await scene.worker(), now=LATER)
        assert [claim.execution_id for claim in claims] == [free.id]


class WhoMayClaim(JobStoreSuite):
    async def test_no_unknown_worker(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        assert list(await scene.store.claim([execution.id], worker_id=make_id("wrk"), now=LATER)) == []
        assert await scene.now_of(execution) == execution

    async def test_no_buried_worker(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        worker_id = await scene.worker()
        await scene.bury(worker_id)
        assert list(await scene.store.claim([execution.id], worker_id=worker_id, now=LATER)) == []
        assert await scene.now_of(execution) == execution

    async def test_no_retired_worker(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        worker_id = await scene.worker()
        await scene.store.retire_worker(worker_id)
        assert list(await scene.store.claim([execution.id], worker_id=worker_id, now=LATER)) == []

    async def test_running_names_what_a_worker_holds(self, scene: Scene) -> None:
        job = await scene.job()
        worker_id, other = await scene.worker(), await scene.worker()
        assert list(await scene.store.running(worker_id)) == []
        held = await scene.running(job, worker_id=worker_id)
        done = await scene.running(job, worker_id=worker_id)
        await scene.running(job, worker_id=other)
        await scene.store.finish([retry(done, LATER)], LATER)
        assert list(await scene.store.running(worker_id)) == [held.ref]
        again = await scene.claim(await scene.now_of(done), worker_id=worker_id, now=LATER + MINUTE)
        assert set(await scene.store.running(worker_id)) == {held.ref, again.ref}
        assert again.ref == ClaimRef(execution_id=done.execution_id, attempt_no=2)
        assert list(await scene.store.running(make_id("wrk"))) == []

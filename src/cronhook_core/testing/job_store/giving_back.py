"""Claims that end without a result: lost with their worker, interrupted by its stop, or released unsent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import pytest

from cronhook_core.domain.claim import ClaimRef, Verdict
from cronhook_core.domain.execution import MAX_LOSSES, ExecutionStatus, Trigger
from cronhook_core.domain.transitions import INTERRUPTED_ERROR
from cronhook_core.domain.webhook import Outcome
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, gone, make_id, retry, succeeded
from cronhook_core.testing.job_store.finishing import accepted, refused
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

QUEUED, RUNNING, CANCELLED = ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.CANCELLED
AT = LATER + MINUTE

Way = Callable[[JobStore, Sequence[ClaimRef], datetime], Awaitable[Sequence[Verdict]]]


async def lose(store: JobStore, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
    return await store.lose(refs, now)


async def interrupt(store: JobStore, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
    return await store.interrupt(refs, now)


async def release(store: JobStore, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
    return await store.release(refs, now)


any_way = pytest.mark.parametrize("way", [lose, interrupt, release])


class GivingBack(JobStoreSuite):
    @any_way
    async def test_it_is_queued_at_once_and_burns_no_retry(self, scene: Scene, way: Way) -> None:
        claim = await scene.running(await scene.job(), Trigger.SCHEDULE)
        assert list(await way(scene.store, [claim.ref], AT)) == [accepted(claim, QUEUED, next_attempt_at=AT)]
        stored = await scene.now_of(claim)
        assert (stored.status, stored.available_at, stored.worker_id) == (QUEUED, AT, None)
        assert (stored.attempt_no, stored.retries_used, stored.finished_at) == (1, 0, None)
        assert [message.execution_id for message in await scene.store.ready(AT, 10)] == [claim.execution_id]
        assert (await scene.claim(stored, now=AT)).attempt_no == 2

    @any_way
    async def test_repeating_it_is_a_no_op(self, scene: Scene, way: Way) -> None:
        claim = await scene.running(await scene.job())
        await way(scene.store, [claim.ref], AT)
        execution, attempts = await scene.now_of(claim), await scene.attempts(claim)
        assert list(await way(scene.store, [claim.ref], AT + MINUTE)) == [refused(claim, QUEUED)]
        assert (await scene.now_of(claim), await scene.attempts(claim)) == (execution, attempts)

    @any_way
    async def test_a_claim_named_twice_is_given_back_once(self, scene: Scene, way: Way) -> None:
        claim = await scene.running(await scene.job())
        verdicts = await way(scene.store, [claim.ref, claim.ref], AT)
        assert [(v.accepted, v.status) for v in verdicts] == [(True, QUEUED), (False, QUEUED)]
        stored = await scene.now_of(claim)
        assert stored.losses + stored.releases == (0 if way is interrupt else 1)

    @any_way
    async def test_unknown_claims_do_no_harm(self, scene: Scene, way: Way) -> None:
        claim, other = [await scene.running(await scene.job()) for _ in range(2)]
        before = await scene.now_of(claim)
        unknown = ClaimRef(execution_id=make_id("exe"), attempt_no=1)
        wrong = claim.ref._replace(attempt_no=2)
        assert list(await way(scene.store, [unknown, wrong, other.ref], AT)) == [
            refused(unknown, None),
            refused(wrong, RUNNING),
            accepted(other, QUEUED, next_attempt_at=AT),
        ]
        assert await scene.now_of(claim) == before
        assert list(await way(scene.store, [], AT)) == []

    @any_way
    async def test_verdicts_come_in_the_order_of_the_names(self, scene: Scene, way: Way) -> None:
        job = await scene.job()
        refs = [(await scene.running(job)).ref for _ in range(5)]
        wanted = [refs[n] for n in (3, 0, 4, 1, 2)]
        assert [v.execution_id for v in await way(scene.store, wanted, AT)] == [ref.execution_id for ref in wanted]

    @any_way
    async def test_a_result_that_was_written_stays(self, scene: Scene, way: Way) -> None:
        job = await scene.job()
        done, failed = await scene.running(job), await scene.running(job)
        await scene.store.finish([succeeded(done, LATER), retry(failed, LATER)], LATER)
        before = [await scene.now_of(done), await scene.now_of(failed)]
        assert list(await way(scene.store, [done.ref, failed.ref], AT)) == [
            refused(done, ExecutionStatus.SUCCEEDED),
            refused(failed, QUEUED),
        ]
        assert [await scene.now_of(done), await scene.now_of(failed)] == before
        assert [attempt.status for attempt in await scene.attempts(done)] == ["succeeded"]

    @any_way
    async def test_an_older_claim_gives_back_nothing(self, scene: Scene, way: Way) -> None:
        first = await scene.running(await scene.job())
        await scene.store.lose([first.ref], LATER)
        await scene.claim(await scene.now_of(first))
        before = await scene.now_of(first)
        assert list(await way(scene.store, [first.ref], AT)) == [refused(first, RUNNING)]
        assert await scene.now_of(first) == before

    @any_way
    @pytest.mark.parametrize("trigger", Trigger)
    async def test_those_of_a_deleted_job_are_cancelled(self, scene: Scene, way: Way, trigger: Trigger) -> None:
        job = await scene.job()
        claim = await scene.running(job, trigger)
        await scene.delete(job)
        assert list(await way(scene.store, [claim.ref], AT)) == [accepted(claim, CANCELLED, "deleted")]
        stored = await scene.now_of(claim)
        assert (stored.status, stored.reason, stored.finished_at) == (CANCELLED, "deleted", AT)

    @any_way
    @pytest.mark.parametrize("trigger", Trigger)
    async def test_scheduled_ones_of_a_paused_job_are_cancelled(self, scene: Scene, way: Way, trigger: Trigger) -> None:
        job = await scene.job()
        claim = await scene.running(job, trigger)
        await scene.pause(job)
        [verdict] = await way(scene.store, [claim.ref], AT)
        if trigger is Trigger.SCHEDULE:
            assert verdict == accepted(claim, CANCELLED, "paused")
        else:
            assert verdict == accepted(claim, QUEUED, next_attempt_at=AT)
        assert (await scene.now_of(claim)).status is verdict.status

    @any_way
    async def test_those_of_a_job_that_went_are_cancelled(self, scene: Scene, way: Way) -> None:
        job = await scene.job()
        claim = await scene.running(job, Trigger.SCHEDULE)
        await scene.store.finish([gone(await scene.running(job))], LATER)
        assert list(await way(scene.store, [claim.ref], AT)) == [accepted(claim, CANCELLED, "gone")]


class Losing(JobStoreSuite):
    async def test_the_attempt_is_lost(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.lose([claim.ref], AT)
        execution, [attempt] = await scene.now_of(claim), await scene.attempts(claim)
        assert (execution.losses, execution.releases) == (1, 0)
        assert (attempt.status, attempt.outcome, attempt.late) == ("lost", Outcome.LOST, False)
        assert (attempt.finished_at, attempt.next_attempt_at, attempt.duration) == (AT, AT, None)

    async def test_the_third_loss_fails_it(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        for loss in range(1, MAX_LOSSES + 1):
            claim = await scene.claim(await scene.now_of(execution), now=AT)
            [verdict] = await scene.store.lose([claim.ref], AT)
            stored = await scene.now_of(execution)
            assert (stored.losses, stored.attempt_no) == (loss, loss)
            assert verdict.status is stored.status
        assert (stored.status, stored.reason, stored.finished_at) == (ExecutionStatus.FAILED, "lost", AT)
        assert (verdict.reason, verdict.next_attempt_at) == ("lost", None)
        attempts = await scene.attempts(execution)
        assert [attempt.status for attempt in attempts] == ["lost"] * MAX_LOSSES
        assert attempts[-1].next_attempt_at is None
        assert list(await scene.store.ready(AT, 10)) == []

    async def test_retries_between_losses_do_not_matter(self, scene: Scene) -> None:
        execution = await scene.lost(await scene.job(), MAX_LOSSES - 1)
        claim = await scene.claim(execution, now=LATER)
        await scene.store.finish([retry(claim, LATER)], LATER)
        again = await scene.claim(await scene.now_of(execution), now=AT)
        [verdict] = await scene.store.lose([again.ref], AT)
        assert (verdict.status, verdict.reason) == (ExecutionStatus.FAILED, "lost")
        assert (await scene.now_of(execution)).retries_used == 1

    async def test_the_third_loss_fails_it_whatever_became_of_its_job(self, scene: Scene) -> None:
        for stop in (scene.pause, scene.delete):
            job = await scene.job()
            claim = await scene.claim(await scene.suspect(job))
            await stop(job)
            assert list(await scene.store.lose([claim.ref], AT)) == [accepted(claim, ExecutionStatus.FAILED, "lost")]


class Interrupting(JobStoreSuite):
    async def test_the_attempt_is_shown_as_interrupted(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.interrupt([claim.ref], AT)
        execution, [attempt] = await scene.now_of(claim), await scene.attempts(claim)
        assert (execution.losses, execution.releases, execution.attempts) == (0, 0, 1)
        assert (attempt.status, attempt.outcome, attempt.late) == ("interrupted", Outcome.INTERRUPTED, False)
        assert (attempt.finished_at, attempt.next_attempt_at, attempt.duration) == (AT, AT, None)
        assert (attempt.error, attempt.response_status) == (INTERRUPTED_ERROR, None)

    async def test_any_number_of_interruptions_fails_nothing_and_makes_no_suspect(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        for number in range(1, 2 * MAX_LOSSES + 1):
            claim = await scene.claim(await scene.now_of(execution), now=AT)
            assert (claim.attempt_no, claim.losses) == (number, 0)
            [verdict] = await scene.store.interrupt([claim.ref], AT)
            assert verdict == accepted(claim, QUEUED, next_attempt_at=AT)
        assert [attempt.attempt_no for attempt in await scene.attempts(execution)] == list(range(1, 2 * MAX_LOSSES + 1))

    async def test_losses_before_it_stay_counted(self, scene: Scene) -> None:
        claim = await scene.claim(await scene.suspect(await scene.job()))
        await scene.store.interrupt([claim.ref], AT)
        stored = await scene.now_of(claim)
        assert (stored.status, stored.losses) == (QUEUED, MAX_LOSSES - 1)
        again = await scene.claim(stored, now=AT)
        assert list(await scene.store.lose([again.ref], AT)) == [accepted(again, ExecutionStatus.FAILED, "lost")]

    async def test_nothing_follows_where_the_execution_is_cancelled(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job, Trigger.SCHEDULE)
        await scene.pause(job)
        await scene.store.interrupt([claim.ref], AT)
        [attempt] = await scene.attempts(claim)
        assert (attempt.status, attempt.next_attempt_at) == ("interrupted", None)

    async def test_an_interrupted_attempt_is_not_lost_afterwards(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.interrupt([claim.ref], NOW)
        assert list(await scene.store.lose([claim.ref], AT)) == [refused(claim, QUEUED)]
        assert (await scene.now_of(claim)).losses == 0
        assert [attempt.status for attempt in await scene.attempts(claim)] == ["interrupted"]

    async def test_a_late_success_counts_while_nobody_claimed_since(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.interrupt([claim.ref], LATER)
        assert list(await scene.store.finish([succeeded(claim, AT)], AT)) == [
            accepted(claim, ExecutionStatus.SUCCEEDED)
        ]
        [attempt] = await scene.attempts(claim)
        assert (attempt.status, attempt.error, attempt.next_attempt_at) == ("succeeded", None, None)

    async def test_a_late_failure_changes_nothing(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.interrupt([claim.ref], LATER)
        before = await scene.now_of(claim), await scene.attempts(claim)
        assert list(await scene.store.finish([retry(claim, AT)], AT)) == [refused(claim, QUEUED)]
        assert (await scene.now_of(claim), await scene.attempts(claim)) == before


class Releasing(JobStoreSuite):
    async def test_the_attempt_is_hidden(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.release([claim.ref], AT)
        stored = await scene.now_of(claim)
        assert (stored.losses, stored.releases, stored.attempts) == (0, 1, 0)
        assert await scene.attempts(claim) == []

    async def test_any_number_of_releases_fails_nothing(self, scene: Scene) -> None:
        execution = await scene.queued(await scene.job())
        for number in range(1, 6):
            claim = await scene.claim(await scene.now_of(execution), now=AT)
            assert claim.attempt_no == number
            await scene.store.release([claim.ref], AT)
        assert (await scene.now_of(execution)).status is QUEUED

    async def test_a_released_attempt_is_not_lost_afterwards(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.release([claim.ref], NOW)
        await scene.store.lose([claim.ref], AT)
        assert (await scene.now_of(claim)).losses == 0
        assert await scene.attempts(claim) == []

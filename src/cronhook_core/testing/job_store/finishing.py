"""Writing results: what they do to executions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from cronhook_core.domain.claim import Claim, ClaimRef, Verdict
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.domain.webhook import Outcome
from cronhook_core.ports.job_store import JobStore
from cronhook_core.testing.builders import MINUTE, NOW, gave_up, make_id, retry, succeeded
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

QUEUED, RUNNING = ExecutionStatus.QUEUED, ExecutionStatus.RUNNING
SUCCEEDED, FAILED, CANCELLED = ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED
ENDED = LATER + timedelta(seconds=1)
"""When attempts ended; they are written a little later."""
WRITTEN = ENDED + timedelta(seconds=1)


def accepted(claim: Claim | ClaimRef, status: ExecutionStatus, reason: str | None = None, **changes: object) -> Verdict:
    verdict = Verdict(
        execution_id=claim.execution_id, attempt_no=claim.attempt_no, accepted=True, status=status, reason=reason
    )
    return evolve(verdict, **changes)  # type: ignore[arg-type]


def refused(claim: Claim | ClaimRef, status: ExecutionStatus | None) -> Verdict:
    return Verdict(execution_id=claim.execution_id, attempt_no=claim.attempt_no, accepted=False, status=status)


class Finishing(JobStoreSuite):
    async def test_finishing_nothing_is_harmless(self, store: JobStore) -> None:
        assert list(await store.finish([], NOW)) == []

    async def test_a_success_is_final(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job(), Trigger.SCHEDULE)
        before = await scene.now_of(claim)
        assert list(await scene.store.finish([succeeded(claim, ENDED)], WRITTEN)) == [accepted(claim, SUCCEEDED)]
        assert await scene.now_of(claim) == evolve(before, status=SUCCEEDED, worker_id=None, finished_at=ENDED)
        [attempt] = await scene.attempts(claim)
        assert (attempt.status, attempt.outcome, attempt.late) == ("succeeded", Outcome.SUCCEEDED, False)
        assert (attempt.finished_at, attempt.next_attempt_at) == (ENDED, None)

    async def test_a_failure_with_delays_left_is_queued_again(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job(), Trigger.SCHEDULE)
        before = await scene.now_of(claim)
        again_at = ENDED + MINUTE
        assert list(await scene.store.finish([retry(claim, ENDED)], WRITTEN)) == [
            accepted(claim, QUEUED, next_attempt_at=again_at)
        ]
        assert await scene.now_of(claim) == evolve(
            before, status=QUEUED, worker_id=None, retries_used=1, available_at=again_at
        )
        [attempt] = await scene.attempts(claim)
        assert (attempt.status, attempt.next_attempt_at) == ("failed", again_at)

    async def test_a_failure_without_delays_left_is_final(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job(), Trigger.SCHEDULE)
        before = await scene.now_of(claim)
        report = gave_up(claim, ENDED, reason="retries_exhausted")
        assert list(await scene.store.finish([report], WRITTEN)) == [accepted(claim, FAILED, "retries_exhausted")]
        assert await scene.now_of(claim) == evolve(
            before, status=FAILED, reason="retries_exhausted", worker_id=None, finished_at=ENDED
        )
        assert [attempt.status for attempt in await scene.attempts(claim)] == ["failed"]

    async def test_verdicts_come_in_the_order_of_the_reports(self, scene: Scene) -> None:
        job = await scene.job()
        claims = [await scene.running(job) for _ in range(7)]
        reports = [(succeeded, retry, gave_up)[index % 3](claim) for index, claim in enumerate(claims)]
        unknown = ClaimRef(execution_id=make_id("exe"), attempt_no=1)
        verdicts = await scene.store.finish([*reports[::-1], succeeded(unknown)], LATER)
        assert [verdict.execution_id for verdict in verdicts] == [
            *(claim.execution_id for claim in claims[::-1]),
            unknown.execution_id,
        ]
        assert [verdict.status for verdict in verdicts[:-1]] == [
            (SUCCEEDED, QUEUED, FAILED)[index % 3] for index in range(7)
        ][::-1]

    async def test_repeating_it_changes_nothing(self, scene: Scene) -> None:
        job = await scene.job()
        for report, status in ((succeeded, SUCCEEDED), (retry, QUEUED), (gave_up, FAILED)):
            claim = await scene.running(job)
            await scene.store.finish([report(claim, ENDED)], WRITTEN)
            execution, attempts = await scene.now_of(claim), await scene.attempts(claim)
            again = report(claim, ENDED + MINUTE)
            assert list(await scene.store.finish([again], WRITTEN + MINUTE)) == [refused(claim, status)]
            assert (await scene.now_of(claim), await scene.attempts(claim)) == (execution, attempts)

    async def test_a_written_result_is_not_overwritten(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.finish([succeeded(claim, ENDED)], WRITTEN)
        execution, attempts = await scene.now_of(claim), await scene.attempts(claim)
        assert list(await scene.store.finish([gave_up(claim, ENDED)], WRITTEN)) == [refused(claim, SUCCEEDED)]
        assert (await scene.now_of(claim), await scene.attempts(claim)) == (execution, attempts)

    async def test_the_second_of_two_reports_in_a_batch_is_refused(self, scene: Scene) -> None:
        job = await scene.job()
        for report, status in ((succeeded, SUCCEEDED), (retry, QUEUED), (gave_up, FAILED)):
            claim = await scene.running(job)
            verdicts = await scene.store.finish([report(claim, ENDED)] * 2, WRITTEN)
            assert [verdict.accepted for verdict in verdicts] == [True, False]
            assert {verdict.status for verdict in verdicts} == {status}
            assert (await scene.now_of(claim)).retries_used == (report is retry)

    async def test_of_two_results_in_a_batch_the_first_counts(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        verdicts = await scene.store.finish([succeeded(claim, ENDED), gave_up(claim, ENDED + MINUTE)], WRITTEN)
        assert list(verdicts) == [accepted(claim, SUCCEEDED), refused(claim, SUCCEEDED)]
        execution, [attempt] = await scene.now_of(claim), await scene.attempts(claim)
        assert (execution.finished_at, attempt.status, attempt.finished_at) == (ENDED, "succeeded", ENDED)

    async def test_unknown_claims_do_no_harm(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        before = await scene.now_of(claim)
        strange = [
            ClaimRef(execution_id=make_id("exe"), attempt_no=1),
            ClaimRef(execution_id="'; --", attempt_no=1),
            claim.ref._replace(attempt_no=2),
            claim.ref._replace(attempt_no=0),
        ]
        for report in (succeeded, retry, gave_up):
            verdicts = await scene.store.finish([report(ref) for ref in strange], LATER)
            assert list(verdicts) == [
                refused(ref, status) for ref, status in zip(strange, (None, None, RUNNING, RUNNING), strict=True)
            ]
        assert await scene.now_of(claim) == before
        assert [attempt.outcome for attempt in await scene.attempts(claim)] == [None]

    async def test_a_large_batch_is_written_at_once(self, scene: Scene) -> None:
        job = await scene.job()
        names = [(await scene.queued(job)).id for _ in range(300)]
        claims = await scene.store.claim(names, worker_id=await scene.worker(), now=LATER)
        verdicts = await scene.store.finish([succeeded(claim) for claim in claims], LATER)
        assert [(verdict.execution_id, verdict.status) for verdict in verdicts] == [(n, SUCCEEDED) for n in names]


class LateResults(JobStoreSuite):
    async def test_a_success_counts_while_nobody_claimed_since(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.lose([claim.ref], LATER)
        assert list(await scene.store.finish([succeeded(claim, ENDED)], WRITTEN)) == [accepted(claim, SUCCEEDED)]
        execution, [attempt] = await scene.now_of(claim), await scene.attempts(claim)
        assert (execution.status, execution.finished_at, execution.losses) == (SUCCEEDED, ENDED, 1)
        assert (attempt.status, attempt.finished_at, attempt.next_attempt_at) == ("succeeded", ENDED, None)
        assert attempt.duration == timedelta(milliseconds=125)

    async def test_a_failure_completes_its_attempt_only(self, scene: Scene) -> None:
        for report in (retry, gave_up):
            claim = await scene.running(await scene.job())
            await scene.store.lose([claim.ref], LATER)
            before = await scene.now_of(claim)
            assert list(await scene.store.finish([report(claim, ENDED)], WRITTEN)) == [refused(claim, QUEUED)]
            assert await scene.now_of(claim) == before
            [attempt] = await scene.attempts(claim)
            assert (attempt.status, attempt.outcome, attempt.late) == ("late_failed", Outcome.HTTP_ERROR, True)
            assert (attempt.finished_at, attempt.response_status) == (ENDED, 500)

    async def test_a_success_after_the_next_claim_completes_its_attempt_only(self, scene: Scene) -> None:
        first = await scene.running(await scene.job())
        await scene.store.lose([first.ref], LATER)
        second = await scene.claim(await scene.now_of(first))
        before = await scene.now_of(first)
        assert list(await scene.store.finish([succeeded(first, ENDED)], WRITTEN)) == [refused(first, RUNNING)]
        assert await scene.now_of(first) == before
        assert [attempt.status for attempt in await scene.attempts(first)] == ["late_succeeded", "running"]
        assert list(await scene.store.finish([retry(second, ENDED)], WRITTEN)) == [
            accepted(second, QUEUED, next_attempt_at=ENDED + MINUTE)
        ]

    async def test_a_success_before_the_third_attempt_completes_its_attempt_only(self, scene: Scene) -> None:
        first = await scene.running(await scene.job())
        await scene.store.lose([first.ref], LATER)
        second = await scene.claim(await scene.now_of(first))
        await scene.store.lose([second.ref], LATER)
        before = await scene.now_of(first)
        assert list(await scene.store.finish([succeeded(first, ENDED)], WRITTEN)) == [refused(first, QUEUED)]
        assert await scene.now_of(first) == before
        assert [attempt.status for attempt in await scene.attempts(first)] == ["late_succeeded", "lost"]

    async def test_a_success_after_the_end_completes_its_attempt_only(self, scene: Scene) -> None:
        first = await scene.running(await scene.job())
        await scene.store.lose([first.ref], LATER)
        second = await scene.claim(await scene.now_of(first))
        await scene.store.finish([gave_up(second, ENDED)], WRITTEN)
        assert list(await scene.store.finish([succeeded(first, ENDED)], WRITTEN)) == [refused(first, FAILED)]
        assert (await scene.now_of(first)).status is FAILED
        assert [attempt.status for attempt in await scene.attempts(first)] == ["late_succeeded", "failed"]

    async def test_repeating_a_late_result_changes_nothing(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.lose([claim.ref], LATER)
        await scene.store.finish([gave_up(claim, ENDED)], WRITTEN)
        attempts = await scene.attempts(claim)
        await scene.store.finish([gave_up(claim, ENDED + MINUTE)], WRITTEN + MINUTE)
        assert await scene.attempts(claim) == attempts

    async def test_of_two_late_results_in_a_batch_the_first_is_kept(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.lose([claim.ref], LATER)
        verdicts = await scene.store.finish([gave_up(claim, ENDED), gave_up(claim, ENDED + MINUTE)], WRITTEN)
        assert list(verdicts) == [refused(claim, QUEUED)] * 2
        [attempt] = await scene.attempts(claim)
        assert (attempt.status, attempt.finished_at) == ("late_failed", ENDED)

    async def test_late_and_timely_results_share_a_batch(self, scene: Scene) -> None:
        late = await scene.running(await scene.job())
        await scene.store.lose([late.ref], LATER)
        newest = await scene.claim(await scene.now_of(late))
        verdicts = await scene.store.finish([succeeded(late, ENDED), succeeded(newest, ENDED)], WRITTEN)
        assert verdicts[0].accepted is False
        assert verdicts[1] == accepted(newest, SUCCEEDED)
        assert [attempt.status for attempt in await scene.attempts(late)] == ["late_succeeded", "succeeded"]

    async def test_a_released_attempt_keeps_its_outcome(self, scene: Scene) -> None:
        claim = await scene.running(await scene.job())
        await scene.store.release([claim.ref], LATER)
        assert list(await scene.store.finish([retry(claim, ENDED)], WRITTEN)) == [refused(claim, QUEUED)]
        assert await scene.attempts(claim) == []


class RetriesOfStoppedJobs(JobStoreSuite):
    @pytest.mark.parametrize("trigger", Trigger)
    async def test_no_retry_follows_a_delete(self, scene: Scene, trigger: Trigger) -> None:
        job = await scene.job()
        claim = await scene.running(job, trigger)
        await scene.delete(job)
        assert list(await scene.store.finish([retry(claim, ENDED)], WRITTEN)) == [accepted(claim, CANCELLED, "deleted")]
        execution, [attempt] = await scene.now_of(claim), await scene.attempts(claim)
        assert (execution.status, execution.reason, execution.finished_at) == (CANCELLED, "deleted", ENDED)
        assert (attempt.status, attempt.next_attempt_at) == ("failed", None)

    @pytest.mark.parametrize(
        ("trigger", "status"), [(Trigger.SCHEDULE, CANCELLED), (Trigger.MANUAL, QUEUED), (Trigger.REPLAY, QUEUED)]
    )
    async def test_no_retry_of_a_scheduled_one_follows_a_pause(
        self, scene: Scene, trigger: Trigger, status: ExecutionStatus
    ) -> None:
        job = await scene.job()
        claim = await scene.running(job, trigger)
        await scene.pause(job)
        [verdict] = await scene.store.finish([retry(claim, ENDED)], WRITTEN)
        assert (verdict.accepted, verdict.status) == (True, status)
        assert verdict.reason == ("paused" if status is CANCELLED else None)

    async def test_a_pause_that_was_ended_stops_nothing(self, scene: Scene) -> None:
        job = await scene.job()
        claim = await scene.running(job, Trigger.SCHEDULE)
        await scene.pause(job)
        await scene.resume(job)
        [verdict] = await scene.store.finish([retry(claim, ENDED)], WRITTEN)
        assert verdict.status is QUEUED

    @pytest.mark.parametrize("reason", [InactiveReason.EXHAUSTED, InactiveReason.MISSED])
    async def test_a_job_that_ran_out_of_instants_is_retried(self, scene: Scene, reason: InactiveReason) -> None:
        job = await scene.job()
        claim = await scene.running(job, Trigger.SCHEDULE)
        stored = await scene.job_now(job)
        ended = stored.changed(LATER, status=JobStatus.INACTIVE, inactive_reason=reason, next_run=None)
        await scene.change(stored, ended)
        [verdict] = await scene.store.finish([retry(claim, ENDED)], WRITTEN)
        assert verdict.status is QUEUED

    async def test_results_of_stopped_jobs_count(self, scene: Scene) -> None:
        for stop in (scene.pause, scene.delete):
            job = await scene.job()
            good, bad = await scene.running(job, Trigger.SCHEDULE), await scene.running(job)
            await stop(job)
            verdicts = await scene.store.finish([succeeded(good), gave_up(bad, reason="timeout")], LATER)
            assert list(verdicts) == [accepted(good, SUCCEEDED), accepted(bad, FAILED, "timeout")]

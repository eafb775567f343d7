"""The states of an execution: every transition, its guard, and what it does to the job."""

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.execution import MAX_LOSSES, Attempt, Execution, ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, Job, JobStatus
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.domain.transitions import (
    INTERRUPTED_ERROR,
    JobState,
    cancelled,
    claimed,
    ends_with_its_job,
    finish,
    interrupt,
    is_claimable,
    job_end_by_user,
    lose,
    plan_applies,
    planned,
    release,
    without_surplus_suspects,
)
from cronhook_core.domain.webhook import Outcome
from cronhook_core.testing.builders import (
    MINUTE,
    NOW,
    gave_up,
    gone,
    make_execution,
    make_job,
    make_plan,
    make_result,
    retry,
    succeeded,
)

LATER = NOW + MINUTE
SCHEDULED, MANUAL, REPLAY = Trigger.SCHEDULE, Trigger.MANUAL, Trigger.REPLAY
QUEUED, RUNNING = ExecutionStatus.QUEUED, ExecutionStatus.RUNNING
SUCCEEDED, FAILED, CANCELLED = ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED


def job_with(**changes: Any) -> Job:
    return make_job("wsp_1", **changes)


ACTIVE = job_with()
PAUSED = job_with(status=JobStatus.PAUSED)
EXHAUSTED = job_with(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.EXHAUSTED)
GONE = job_with(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.GONE)
DELETED = job_with(status=JobStatus.INACTIVE, inactive_reason=InactiveReason.DELETED, deleted_at=NOW)
ONCE = job_with(schedule=OneTimeSchedule(NOW), next_run=None)


def running(job: Job, trigger: Trigger = SCHEDULED, **changes: Any) -> tuple[Execution, Attempt]:
    return claimed(make_execution(job, trigger=trigger, **changes), "wrk_1", NOW)


def ref(attempt: Attempt) -> ClaimRef:
    return ClaimRef(execution_id=attempt.execution_id, attempt_no=attempt.attempt_no)


class TestPlanning:
    def test_a_plan_applies_to_the_job_as_it_was_read(self) -> None:
        assert plan_applies(make_plan(ACTIVE), JobState.of(ACTIVE))

    @pytest.mark.parametrize(
        "changes",
        [
            {"revision": 2},
            {"next_run": LATER + MINUTE},
            {"next_run": None},
            {"status": JobStatus.PAUSED},
            {"status": JobStatus.INACTIVE},
        ],
    )
    def test_a_plan_does_not_apply_to_a_changed_job(self, changes: dict[str, Any]) -> None:
        assert not plan_applies(make_plan(ACTIVE), JobState.of(evolve(ACTIVE, **changes)))

    def test_a_plan_moves_next_run_but_not_the_revision(self) -> None:
        after = planned(make_plan(ACTIVE), JobState.of(ACTIVE))
        assert (after.next_run, after.planned_through) == (LATER + MINUTE, LATER)
        assert (after.status, after.revision) == (JobStatus.ACTIVE, 1)

    def test_planned_through_never_goes_back(self) -> None:
        ahead = JobState.of(evolve(ACTIVE, planned_through=LATER + MINUTE))
        assert planned(make_plan(ACTIVE), ahead).planned_through == LATER + MINUTE

    def test_a_job_that_cannot_be_planned_becomes_inactive(self) -> None:
        plan = make_plan(ACTIVE, next_run=None, inactive_reason=InactiveReason.EXHAUSTED)
        after = planned(plan, JobState.of(ACTIVE))
        assert (after.status, after.inactive_reason) == (JobStatus.INACTIVE, InactiveReason.EXHAUSTED)
        assert (after.next_run, after.revision) == (None, 2)


class TestClaiming:
    @pytest.mark.parametrize("trigger", Trigger)
    @pytest.mark.parametrize("job", [ACTIVE, EXHAUSTED, GONE, ONCE])
    def test_what_is_queued_and_available_is_claimable(self, job: Job, trigger: Trigger) -> None:
        assert is_claimable(make_execution(job, trigger=trigger), JobState.of(job), NOW)

    @pytest.mark.parametrize(("trigger", "allowed"), [(SCHEDULED, False), (MANUAL, True), (REPLAY, True)])
    def test_a_paused_job_runs_by_hand_only(self, trigger: Trigger, allowed: bool) -> None:
        assert is_claimable(make_execution(PAUSED, trigger=trigger), JobState.of(PAUSED), NOW) is allowed

    @pytest.mark.parametrize("trigger", Trigger)
    def test_nothing_of_a_deleted_job_is_claimable(self, trigger: Trigger) -> None:
        assert not is_claimable(make_execution(DELETED, trigger=trigger), JobState.of(DELETED), NOW)

    @pytest.mark.parametrize("status", [s for s in ExecutionStatus if s is not QUEUED])
    def test_only_what_is_queued_is_claimable(self, status: ExecutionStatus) -> None:
        assert not is_claimable(make_execution(ACTIVE, status=status), JobState.of(ACTIVE), NOW)

    def test_nothing_is_claimable_before_its_time(self) -> None:
        later = make_execution(ACTIVE, available_at=NOW + timedelta(microseconds=1))
        assert not is_claimable(later, JobState.of(ACTIVE), NOW)
        assert is_claimable(later, JobState.of(ACTIVE), NOW + timedelta(microseconds=1))

    def test_a_claim_begins_an_attempt(self) -> None:
        execution, attempt = claimed(make_execution(ACTIVE, attempt_no=4), "wrk_1", NOW)
        assert (execution.status, execution.attempt_no, execution.worker_id) == (RUNNING, 5, "wrk_1")
        assert execution.started_at == NOW
        assert (attempt.execution_id, attempt.attempt_no, attempt.worker_id) == (execution.id, 5, "wrk_1")
        assert (attempt.started_at, attempt.outcome, attempt.status) == (NOW, None, "running")

    def test_an_execution_keeps_when_its_first_attempt_started(self) -> None:
        execution, attempt = claimed(make_execution(ACTIVE, started_at=NOW), "wrk_1", LATER)
        assert (execution.started_at, attempt.started_at) == (NOW, LATER)

    def test_one_suspect_is_taken_at_a_time(self) -> None:
        made = [make_execution(ACTIVE, losses=losses) for losses in (0, 2, 1, 2, 0)]
        assert without_surplus_suspects(made, with_suspect=True) == [made[0], made[1], made[2], made[4]]
        assert without_surplus_suspects(made, with_suspect=False) == [made[0], made[2], made[4]]


class TestFinishing:
    def test_a_success_is_final(self) -> None:
        execution, attempt = running(ACTIVE)
        effect = finish(succeeded(ref(attempt), LATER), execution, attempt, JobState.of(ACTIVE))
        assert effect.execution == evolve(execution, status=SUCCEEDED, worker_id=None, finished_at=LATER)
        assert (effect.verdict.accepted, effect.verdict.status, effect.verdict.reason) == (True, SUCCEEDED, None)
        assert effect.job_end is None

    def test_the_attempt_keeps_what_came_back(self) -> None:
        execution, attempt = running(ACTIVE)
        report = retry(ref(attempt), NOW, after=MINUTE)
        done = finish(report, execution, attempt, JobState.of(ACTIVE)).attempt
        assert done is not None
        assert (done.outcome, done.late, done.status) == (Outcome.HTTP_ERROR, False, "failed")
        assert (done.error, done.response_status) == ("the receiver answered 500", 500)
        assert (done.response_headers, done.response_body) == ((("content-type", "text/plain"),), "thanks")
        assert (done.duration, done.finished_at, done.next_attempt_at) == (report.duration, NOW, LATER)

    def test_a_failure_with_delays_left_is_queued_again(self) -> None:
        execution, attempt = running(ACTIVE)
        effect = finish(retry(ref(attempt), NOW, after=MINUTE), execution, attempt, JobState.of(ACTIVE))
        assert effect.execution == evolve(execution, status=QUEUED, worker_id=None, retries_used=1, available_at=LATER)
        assert (effect.verdict.status, effect.verdict.next_attempt_at) == (QUEUED, LATER)

    @pytest.mark.parametrize("job", [ACTIVE, PAUSED, EXHAUSTED, GONE, DELETED])
    def test_giving_up_is_final_whatever_became_of_the_job(self, job: Job) -> None:
        execution, attempt = running(job)
        effect = finish(gave_up(ref(attempt), LATER, reason="timeout"), execution, attempt, JobState.of(job))
        assert effect.execution == evolve(execution, status=FAILED, reason="timeout", worker_id=None, finished_at=LATER)
        assert effect.verdict.reason == "timeout"

    @pytest.mark.parametrize("job", [PAUSED, EXHAUSTED, GONE, DELETED])
    def test_a_success_counts_whatever_became_of_the_job(self, job: Job) -> None:
        execution, attempt = running(job)
        assert finish(succeeded(ref(attempt)), execution, attempt, JobState.of(job)).verdict.status is SUCCEEDED

    @pytest.mark.parametrize(
        ("job", "trigger", "status", "reason"),
        [
            (PAUSED, SCHEDULED, CANCELLED, "paused"),
            (PAUSED, MANUAL, QUEUED, None),
            (PAUSED, REPLAY, QUEUED, None),
            (DELETED, SCHEDULED, CANCELLED, "deleted"),
            (DELETED, MANUAL, CANCELLED, "deleted"),
            (GONE, SCHEDULED, CANCELLED, "gone"),
            (GONE, REPLAY, CANCELLED, "gone"),
            (EXHAUSTED, SCHEDULED, QUEUED, None),
        ],
    )
    @pytest.mark.parametrize("how", ["finish", "release", "lose"])
    def test_no_attempt_follows_for_a_job_that_stopped_meanwhile(
        self, how: str, job: Job, trigger: Trigger, status: ExecutionStatus, reason: str | None
    ) -> None:
        execution, attempt = running(job, trigger)
        state = JobState.of(job)
        effect = {
            "finish": lambda: finish(retry(ref(attempt), LATER), execution, attempt, state),
            "release": lambda: release(execution, attempt, state, LATER),
            "lose": lambda: lose(execution, attempt, state, LATER),
        }[how]()
        assert effect.execution is not None
        assert (effect.verdict.accepted, effect.verdict.status, effect.verdict.reason) == (True, status, reason)
        assert (effect.execution.status, effect.execution.reason) == (status, reason)
        assert effect.execution.finished_at == (LATER if status is CANCELLED else None)
        assert (effect.verdict.next_attempt_at is None) is (status is CANCELLED)

    def test_a_repeat_changes_nothing(self) -> None:
        execution, attempt = running(ACTIVE)
        report = retry(ref(attempt))
        first = finish(report, execution, attempt, JobState.of(ACTIVE))
        assert first.execution is not None
        assert first.attempt is not None
        again = finish(report, first.execution, first.attempt, JobState.of(ACTIVE))
        assert (again.execution, again.attempt, again.job_end) == (None, None, None)
        assert (again.verdict.accepted, again.verdict.status) == (False, QUEUED)

    def test_a_late_success_of_the_newest_attempt_counts(self) -> None:
        execution, attempt = running(ACTIVE)
        taken = lose(execution, attempt, JobState.of(ACTIVE), NOW)
        assert taken.execution is not None
        assert taken.attempt is not None
        effect = finish(succeeded(ref(attempt), LATER), taken.execution, taken.attempt, JobState.of(ACTIVE))
        assert effect.execution is not None
        assert effect.attempt is not None
        assert (effect.execution.status, effect.execution.finished_at) == (SUCCEEDED, LATER)
        assert (effect.attempt.status, effect.attempt.next_attempt_at) == ("succeeded", None)

    def test_a_late_failure_completes_its_attempt_only(self) -> None:
        execution, attempt = running(ACTIVE)
        taken = lose(execution, attempt, JobState.of(ACTIVE), NOW)
        assert taken.execution is not None
        assert taken.attempt is not None
        effect = finish(retry(ref(attempt), LATER), taken.execution, taken.attempt, JobState.of(ACTIVE))
        assert effect.execution is None
        assert (effect.verdict.accepted, effect.verdict.status) == (False, QUEUED)
        assert effect.attempt is not None
        assert (effect.attempt.status, effect.attempt.finished_at) == ("late_failed", LATER)

    def test_a_success_of_an_older_attempt_completes_that_attempt_only(self) -> None:
        execution, attempt = running(ACTIVE)
        taken = lose(execution, attempt, JobState.of(ACTIVE), NOW)
        assert taken.execution is not None
        assert taken.attempt is not None
        newer, _ = claimed(taken.execution, "wrk_2", NOW)
        effect = finish(succeeded(ref(attempt), LATER), newer, taken.attempt, JobState.of(ACTIVE))
        assert effect.execution is None
        assert (effect.verdict.accepted, effect.verdict.status) == (False, RUNNING)
        assert effect.attempt is not None
        assert effect.attempt.status == "late_succeeded"

    def test_a_released_attempt_gets_no_late_result(self) -> None:
        execution, attempt = running(ACTIVE)
        given_back = release(execution, attempt, JobState.of(ACTIVE), NOW)
        assert given_back.execution is not None
        assert given_back.attempt is not None
        effect = finish(retry(ref(attempt)), given_back.execution, given_back.attempt, JobState.of(ACTIVE))
        assert (effect.execution, effect.attempt) == (None, None)

    @pytest.mark.parametrize("job", [ACTIVE, PAUSED, EXHAUSTED, ONCE])
    def test_gone_ends_the_job(self, job: Job) -> None:
        execution, attempt = running(job)
        effect = finish(gone(ref(attempt)), execution, attempt, JobState.of(job))
        assert (effect.verdict.status, effect.verdict.reason) == (FAILED, "gone")
        assert effect.job_end is InactiveReason.GONE

    @pytest.mark.parametrize("job", [GONE, DELETED])
    def test_gone_changes_no_job_that_is_gone_or_deleted(self, job: Job) -> None:
        execution, attempt = running(job)
        assert finish(gone(ref(attempt)), execution, attempt, JobState.of(job)).job_end is None

    def test_a_late_gone_ends_no_job(self) -> None:
        execution, attempt = running(ACTIVE)
        newer = evolve(execution, attempt_no=2)
        assert finish(gone(ref(attempt)), newer, attempt, JobState.of(ACTIVE)).job_end is None


class TestOneTimeJobs:
    @pytest.mark.parametrize("status", [JobStatus.ACTIVE, JobStatus.PAUSED])
    def test_its_scheduled_run_completes_it(self, status: JobStatus) -> None:
        execution, attempt = running(ONCE)
        state = JobState.of(evolve(ONCE, status=status))
        assert finish(succeeded(ref(attempt)), execution, attempt, state).job_end is InactiveReason.COMPLETED
        assert finish(gave_up(ref(attempt)), execution, attempt, state).job_end is InactiveReason.FAILED

    def test_it_waits_for_the_retry(self) -> None:
        execution, attempt = running(ONCE)
        assert finish(retry(ref(attempt)), execution, attempt, JobState.of(ONCE)).job_end is None

    def test_a_run_cut_off_by_a_pause_does_not_end_it(self) -> None:
        execution, attempt = running(ONCE)
        paused = JobState.of(evolve(ONCE, status=JobStatus.PAUSED))
        effect = finish(retry(ref(attempt)), execution, attempt, paused)
        assert (effect.verdict.status, effect.job_end) == (CANCELLED, None)

    @pytest.mark.parametrize("trigger", [MANUAL, REPLAY])
    def test_a_run_by_hand_does_not_end_it(self, trigger: Trigger) -> None:
        execution, attempt = running(ONCE, trigger)
        assert finish(succeeded(ref(attempt)), execution, attempt, JobState.of(ONCE)).job_end is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"definition": evolve(ONCE.definition, schedule=OneTimeSchedule(LATER)), "next_run": LATER},
            {"definition": evolve(ONCE.definition, schedule=OneTimeSchedule(LATER)), "status": JobStatus.PAUSED},
            {"definition": ACTIVE.definition, "next_run": LATER},
            {"next_run": NOW},
        ],
    )
    def test_a_job_given_a_new_instant_goes_on(self, changes: dict[str, Any]) -> None:
        execution, attempt = running(ONCE)
        state = JobState.of(evolve(ONCE, **changes))
        assert finish(succeeded(ref(attempt)), execution, attempt, state).job_end is None

    def test_an_inactive_one_keeps_its_reason(self) -> None:
        execution, attempt = running(ONCE)
        missed = JobState.of(evolve(ONCE, status=JobStatus.INACTIVE, inactive_reason=InactiveReason.MISSED))
        assert finish(succeeded(ref(attempt)), execution, attempt, missed).job_end is None

    def test_the_third_loss_fails_it(self) -> None:
        execution, attempt = running(ONCE, losses=MAX_LOSSES - 1)
        assert lose(execution, attempt, JobState.of(ONCE), NOW).job_end is InactiveReason.FAILED

    def test_its_user_cancelling_the_run_ends_it(self) -> None:
        execution = make_execution(ONCE, trigger=SCHEDULED)
        assert job_end_by_user(execution, JobState.of(ONCE)) is InactiveReason.CANCELLED

    @pytest.mark.parametrize(
        ("job", "trigger"),
        [(ACTIVE, SCHEDULED), (ONCE, MANUAL), (evolve(ONCE, next_run=LATER), SCHEDULED)],
    )
    def test_its_user_cancelling_anything_else_does_not(self, job: Job, trigger: Trigger) -> None:
        assert job_end_by_user(make_execution(job, trigger=trigger), JobState.of(job)) is None


class TestLosing:
    def test_a_loss_burns_no_retry_and_is_queued_at_once(self) -> None:
        execution, attempt = running(ACTIVE)
        effect = lose(execution, attempt, JobState.of(ACTIVE), LATER)
        assert effect.execution == evolve(execution, status=QUEUED, worker_id=None, losses=1, available_at=LATER)
        assert effect.attempt == evolve(attempt, outcome=Outcome.LOST, finished_at=LATER, next_attempt_at=LATER)
        assert effect.verdict.next_attempt_at == LATER

    @pytest.mark.parametrize("job", [ACTIVE, PAUSED, DELETED, GONE])
    def test_the_third_loss_is_final(self, job: Job) -> None:
        execution, attempt = running(job, losses=MAX_LOSSES - 1)
        effect = lose(execution, attempt, JobState.of(job), LATER)
        assert effect.execution == evolve(
            execution, status=FAILED, reason="lost", worker_id=None, losses=MAX_LOSSES, finished_at=LATER
        )

    @pytest.mark.parametrize("changes", [{"status": QUEUED}, {"status": SUCCEEDED}, {"attempt_no": 2}])
    def test_only_the_claim_that_holds_it_is_lost_or_given_back(self, changes: dict[str, Any]) -> None:
        execution, attempt = running(ACTIVE)
        other = evolve(execution, **changes)
        for effect in (
            lose(other, attempt, JobState.of(ACTIVE), NOW),
            interrupt(other, attempt, JobState.of(ACTIVE), NOW),
            release(other, attempt, JobState.of(ACTIVE), NOW),
        ):
            assert (effect.execution, effect.attempt) == (None, None)
            assert (effect.verdict.accepted, effect.verdict.status) == (False, other.status)


class TestInterrupting:
    def test_an_interruption_burns_no_retry_is_no_loss_and_is_queued_at_once(self) -> None:
        execution, attempt = running(ACTIVE, losses=MAX_LOSSES - 1, retries_used=2)
        effect = interrupt(execution, attempt, JobState.of(ACTIVE), LATER)
        assert effect.execution == evolve(execution, status=QUEUED, worker_id=None, available_at=LATER)
        assert effect.attempt == evolve(
            attempt,
            outcome=Outcome.INTERRUPTED,
            error=INTERRUPTED_ERROR,
            finished_at=LATER,
            next_attempt_at=LATER,
        )
        assert (effect.verdict.next_attempt_at, effect.job_end) == (LATER, None)

    @pytest.mark.parametrize(("job", "reason"), [(PAUSED, "paused"), (DELETED, "deleted"), (GONE, "gone")])
    def test_it_is_cancelled_where_its_job_was_stopped(self, job: Job, reason: str) -> None:
        execution, attempt = running(job)
        effect = interrupt(execution, attempt, JobState.of(job), LATER)
        assert effect.execution is not None
        assert effect.attempt is not None
        assert (effect.execution.status, effect.execution.reason) == (CANCELLED, reason)
        assert (effect.attempt.status, effect.attempt.next_attempt_at) == ("interrupted", None)


class TestReleasing:
    def test_a_release_burns_nothing_and_hides_the_attempt(self) -> None:
        execution, attempt = running(ACTIVE)
        effect = release(execution, attempt, JobState.of(ACTIVE), LATER)
        assert effect.execution == evolve(execution, status=QUEUED, worker_id=None, releases=1, available_at=LATER)
        assert effect.execution.attempts == 0
        assert effect.attempt == evolve(attempt, outcome=Outcome.RELEASED, finished_at=LATER)


class TestCancelling:
    def test_what_is_cancelled_has_a_reason_and_an_end(self) -> None:
        execution = make_execution(ACTIVE)
        assert cancelled(execution, "paused", LATER) == evolve(
            execution, status=CANCELLED, reason="paused", finished_at=LATER
        )

    @pytest.mark.parametrize(
        ("trigger", "manual_too", "ends"),
        [
            (SCHEDULED, False, True),
            (SCHEDULED, True, True),
            (MANUAL, False, False),
            (MANUAL, True, True),
            (REPLAY, False, False),
            (REPLAY, True, True),
        ],
    )
    def test_queued_ones_end_with_their_job(self, trigger: Trigger, manual_too: bool, ends: bool) -> None:
        assert ends_with_its_job(make_execution(ACTIVE, trigger=trigger), manual_too=manual_too) is ends

    @pytest.mark.parametrize("status", [s for s in ExecutionStatus if s is not QUEUED])
    def test_others_do_not(self, status: ExecutionStatus) -> None:
        assert not ends_with_its_job(make_execution(ACTIVE, status=status), manual_too=True)


def test_a_result_without_a_body_is_kept_as_such() -> None:
    execution, attempt = running(ACTIVE)
    result = make_result(Outcome.TIMEOUT, response_status=None, response_headers=(), response_body=None)
    done = finish(retry(ref(attempt), result=result), execution, attempt, JobState.of(ACTIVE)).attempt
    assert done is not None
    assert (done.outcome, done.response_status, done.response_body) == (Outcome.TIMEOUT, None, None)

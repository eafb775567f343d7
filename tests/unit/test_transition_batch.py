"""Transitions over a whole batch: order, doubles, unknown names, several executions of one job."""

from collections.abc import Sequence

from attrs import evolve

from cronhook_core.domain.claim import ClaimRef
from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, Job
from cronhook_core.domain.schedule import OneTimeSchedule
from cronhook_core.domain.transition_batch import Rows, finish_all, lose_all, release_all
from cronhook_core.domain.transitions import JobState, claimed, lose
from cronhook_core.testing.builders import NOW, gone, make_execution, make_job, retry, succeeded

JOB = make_job("wsp_1")
UNKNOWN = ClaimRef(execution_id="exe_unknown", attempt_no=1)


def running(job: Job = JOB, trigger: Trigger = Trigger.MANUAL) -> tuple[Execution, Attempt]:
    return claimed(make_execution(job, trigger=trigger), "wrk_1", NOW)


def ref(attempt: Attempt) -> ClaimRef:
    return ClaimRef(execution_id=attempt.execution_id, attempt_no=attempt.attempt_no)


def rows(*pairs: tuple[Execution, Attempt], jobs: Sequence[Job] = (JOB,)) -> Rows:
    return Rows(
        executions={execution.id: execution for execution, _ in pairs},
        attempts={ref(attempt): attempt for _, attempt in pairs},
        jobs={job.id: JobState.of(job) for job in jobs},
    )


def test_an_empty_batch_changes_nothing() -> None:
    changes = finish_all([], rows())
    assert (changes.verdicts, changes.executions, changes.attempts, changes.job_ends) == ([], {}, {}, {})


def test_verdicts_come_in_the_order_of_the_batch() -> None:
    (first, one), (second, two) = running(), running()
    changes = finish_all([retry(ref(one)), gone(ref(two)), succeeded(UNKNOWN)], rows((first, one), (second, two)))
    assert [(v.execution_id, v.status) for v in changes.verdicts] == [
        (first.id, ExecutionStatus.CANCELLED),
        (second.id, ExecutionStatus.FAILED),
        (UNKNOWN.execution_id, None),
    ]


def test_the_second_of_two_equal_items_is_refused() -> None:
    execution, attempt = running()
    for changes in (
        finish_all([retry(ref(attempt))] * 2, rows((execution, attempt))),
        lose_all([ref(attempt)] * 2, rows((execution, attempt)), NOW),
        release_all([ref(attempt)] * 2, rows((execution, attempt)), NOW),
    ):
        assert [v.accepted for v in changes.verdicts] == [True, False]
        assert [v.status for v in changes.verdicts] == [ExecutionStatus.QUEUED, ExecutionStatus.QUEUED]


def test_unknown_claims_do_no_harm() -> None:
    execution, attempt = running()
    wrong_number = ClaimRef(execution_id=execution.id, attempt_no=9)
    changes = lose_all([UNKNOWN, wrong_number, ref(attempt)], rows((execution, attempt)), NOW)
    assert [(v.accepted, v.status) for v in changes.verdicts] == [
        (False, None),
        (False, ExecutionStatus.RUNNING),
        (True, ExecutionStatus.QUEUED),
    ]


def test_a_job_that_goes_takes_the_retries_of_its_batch_along_in_any_order() -> None:
    (going, one), (other, two) = running(), running()
    for reports in ([gone(ref(one)), retry(ref(two))], [retry(ref(two)), gone(ref(one))]):
        changes = finish_all(reports, rows((going, one), (other, two)))
        assert changes.executions[going.id].status is ExecutionStatus.FAILED
        assert changes.executions[other.id].status is ExecutionStatus.CANCELLED
        assert changes.executions[other.id].reason == "gone"
        assert changes.job_ends == {JOB.id: InactiveReason.GONE}


def test_a_success_beside_a_job_that_goes_still_counts() -> None:
    (going, one), (other, two) = running(), running()
    taken = lose(other, two, JobState.of(JOB), NOW)
    assert taken.execution is not None
    assert taken.attempt is not None
    stored = rows((going, one), (taken.execution, taken.attempt))
    changes = finish_all([gone(ref(one)), succeeded(ref(two))], stored)
    assert changes.executions[other.id].status is ExecutionStatus.SUCCEEDED


def test_a_job_ends_once() -> None:
    (first, one), (second, two) = running(), running()
    changes = finish_all([gone(ref(one)), gone(ref(two))], rows((first, one), (second, two)))
    assert changes.job_ends == {JOB.id: InactiveReason.GONE}
    once = make_job("wsp_1", schedule=OneTimeSchedule(NOW), next_run=None)
    scheduled, attempt = running(once, Trigger.SCHEDULE)
    changes = finish_all([succeeded(ref(attempt))] * 2, rows((scheduled, attempt), jobs=[once]))
    assert changes.job_ends == {once.id: InactiveReason.COMPLETED}


def test_the_rows_that_were_read_stay_as_they_are() -> None:
    execution, attempt = running()
    stored = rows((execution, attempt))
    lose_all([ref(attempt)], stored, NOW)
    assert stored.executions == {execution.id: evolve(execution)}

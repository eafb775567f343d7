"""The oracle on histories made by hand: silent where all is well, and for each fault the one invariant it breaks."""

import ast
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from tests.faults.changed_history import (
    CAUGHT_UP,
    FIRST,
    LAST,
    LOST,
    RETRIED,
    SECOND,
    Change,
    all_later,
    another_worker_killed,
    asked_to_wait,
    database_away,
    edited,
    failed_after_losses,
    gone_without_trace,
    interrupted,
    late_before,
    late_success,
    locked_row,
    many_more,
    missed_many,
    nothing_in_flight,
    older_attempt_left_late,
    paused_at,
    planned_twice,
    probed_late,
    receiver_killed,
    restarted_with,
    resumed_at,
    retried,
    retry_cancelled_by_a_pause,
    row,
    stopped_in_order,
    stopped_while_sending,
    text,
    timed_out,
    too_late_success,
    transition,
    unhealthy,
    worker_killed_while_sending,
)
from tests.faults.history import Bounds, Cron, Fault, Memory, Once
from tests.faults.made_history import (
    AT_ONCE,
    MS,
    NOON,
    ONCE,
    TICK,
    a_good_history,
    act,
    answer,
    arrival,
    at,
    attempt,
    create,
    job,
    name_of,
    with_acts,
    with_arrival,
    with_log,
    with_row,
    with_rows,
    without_arrival,
    without_row,
)
from tests.faults.oracle import CHECKS, judge
from tests.faults.scripted_receiver import ROOT
from tests.faults.timeliness_checks import class_name, lateness_by_class

BOUNDS = Bounds(held=timedelta(seconds=12), memory_bytes=100_000_000)


BAD: dict[str, dict[str, Change]] = {
    "I1": {
        "an instant has no execution": lambda h: gone_without_trace(h, LAST),
        "a missed instant is not counted": row("executions", CAUGHT_UP, missed_count=0, missed_from=None),
        "too many are counted": row("executions", CAUGHT_UP, missed_count=2),
        "counting begins at no instant": row("executions", CAUGHT_UP, missed_from=at(3.5)),
        "an instant is not the schedule's": row("executions", LAST, scheduled_for=at(5) + SECOND),
        "it ran in the pause": paused_at(4.2),
        "it was never resumed": resumed_at(4.5),
        "it ran by the old schedule": edited,
        "the one instant never came": lambda h: gone_without_trace(h, name_of(ONCE, NOON + 90 * SECOND)),
        "local time": row("executions", LAST, scheduled_for=at(65)),
        "more than the most that is counted": lambda h: with_row(
            missed_many(1500)(h), "executions", CAUGHT_UP, missed_count=999
        ),
    },
    "I2": {
        "an instant has two executions": planned_twice,
        "an instant ran, and is counted as missed too": row("executions", CAUGHT_UP, missed_count=2, missed_from=at(2)),
        "a statement failed": text('ERROR: duplicate key value violates unique constraint "uq_executions"'),
        "a statement failed on SQLite": text("UNIQUE constraint failed: executions.job_id"),
    },
    "I3": {
        "a POST without an attempt": lambda h: attrs.evolve(
            h, arrivals=(*h.arrivals, arrival(attempt({**h.executions[LAST], "id": "exe_by_nobody"})))
        ),
        "a POST before its attempt": all_later(-71 * MS),
        "a POST of an attempt that was given back": lambda h: with_row(
            with_row(
                with_rows(h, "attempts", attempt({**h.executions[LAST]}, 2, after=SECOND)),
                "attempts",
                (LAST, 1),
                outcome="released",
                response_status=None,
            ),
            "executions",
            LAST,
            attempt_no=2,
            releases=1,
        ),
    },
    "I4": {"an attempt was sent twice": lambda h: attrs.evolve(h, arrivals=[*h.arrivals, h.arrivals[2]])},
    "I5": {
        "it runs on and on": lambda h: with_row(
            with_row(h, "attempts", (FIRST, 1), outcome=None),
            *("executions", FIRST),
            status="running",
            finished_at=None,
            worker_id="wrk_2",
        ),
        "it ran on until somebody noticed": row("attempts", (FIRST, 1), finished_at=at(1)),
        "nobody claims it": row("executions", LAST, status="queued", finished_at=None, attempt_no=0),
        "it waits for a paused job": lambda h: paused_at(5.1)(
            with_row(h, "executions", LAST, status="queued", finished_at=None, attempt_no=0)
        ),
    },
    "I6": {
        "the receiver answered 500": lambda h: with_arrival(h, (FIRST, 1), status=500),
        "the receiver never saw it": lambda h: without_arrival(h, (LAST, 1)),
    },
    "I7": {
        "the 2xx was heard, and counts as a timeout": timed_out,
        "the 2xx was heard, and counts as lost": lambda h: with_row(
            with_row(h, "attempts", (LAST, 1), outcome="lost"),
            *("executions", LAST),
            status="cancelled",
            reason="deleted",
            losses=1,
        ),
    },
    "I8": {
        "an unknown status": row("executions", FIRST, status="done"),
        "final without an end": row("executions", FIRST, finished_at=None),
        "a worker holds what is final": row("executions", FIRST, worker_id="wrk_1"),
        "succeeded for a reason": row("executions", FIRST, reason="lost"),
        "queued again after its end": transition("succeeded", "queued", 1, 1),
        "running without a claim": transition(None, "running", 0, 0),
        "failed without a claim": transition("queued", "failed", 1, 1),
        "claimed for a paused job": transition("queued", "running", 0, 1, job_status="paused"),
        "claimed for a deleted job": transition("queued", "running", 0, 1, job_deleted_at=NOON),
        "lost too early": lambda h: with_row(failed_after_losses(h, 3), "executions", LAST, losses=2),
        **{
            f"cancelled as {reason}, for nothing": row("executions", FIRST, status="cancelled", reason=reason)
            for reason in ("paused", "deleted", "cancelled", "gone")
        },
        "a run by hand that a pause cancelled": lambda h: with_acts(
            with_row(h, "executions", "exe_by_hand", status="cancelled", reason="paused"), act("pause", at(4.5))
        ),
        "tried again though its job is paused": transition("running", "queued", 1, 1, job_status="paused"),
        "tried again though its job is deleted": transition("running", "queued", 1, 1, job_deleted_at=NOON),
        "answered 410, and not ended": row("attempts", (FIRST, 1), outcome="http_error", response_status=410),
        "a job that is inactive for no reason": row("jobs", TICK, status="inactive"),
        "a job that goes on after its one run": row("jobs", ONCE, status="active", inactive_reason=None),
    },
    "I9": {
        "a number was left out": lambda h: without_row(h, "attempts", (RETRIED, 1)),
        "a number was given twice": row("executions", FIRST, attempt_no=2),
        "an old attempt decided": lambda h: with_row(
            too_late_success(h), "attempts", (LOST, 2), outcome="http_error", response_status=500
        ),
        "the number went back": transition("queued", "queued", 2, 1),
        "a finish moved the number": transition("running", "succeeded", 1, 2),
        "a claim did not": transition("queued", "running", 1, 1),
    },
    "I10": {
        "too many retries": lambda h: attrs.evolve(with_row(h, "jobs", TICK, retries=0), acts=h.acts[1:]),
        "too many losses": lambda h: failed_after_losses(h, 4),
        "a retry that no failure accounts for": row("executions", FIRST, retries_used=1),
        "a loss that no attempt accounts for": row("executions", RETRIED, losses=2),
        "a release that no attempt accounts for": row("executions", FIRST, releases=1),
        "an interruption that used up a retry": lambda h: with_row(interrupted(h), "executions", LOST, retries_used=1),
        "lost by a worker that was stopped in order": stopped_in_order("lost"),
        "sent by a worker without trust": lambda h: with_log(
            attrs.evolve(h, fault_log=attrs.evolve(h.fault_log, trust_ended={"wrk_1": at(4.9)}))
        ),
        "sent long after its last beat, and before it was buried": row(
            "workers", "wrk_1", last_beat_at=at(4.8), buried_at=at(5.2)
        ),
        "signed without trust, once its worker went on": stopped_while_sending(signed=9 * SECOND, received=9 * SECOND),
        "sent without trust, before its worker was stopped": stopped_while_sending(
            signed=timedelta(), received=6 * SECOND, stopped=7 * SECOND
        ),
    },
    "I11": {
        "late in quiet times": all_later(3 * SECOND),
        "late before a fault": late_before(timedelta()),
        "late while the row of another job was locked": locked_row(ONCE),
    },
    "I12": {
        "more repeats than sends were cut off": lambda h: nothing_in_flight(worker_killed_while_sending(h)),
        "repeats though only the database was away": database_away,
        "a repeat though another worker was killed": another_worker_killed,
        "a repeat long before the receiver was killed": receiver_killed(at(1)),
        "a living worker was buried": row("workers", "wrk_1", buried_at=at(5.1)),
    },
    "I13": {
        "the job is not there": lambda h: with_acts(h, create("job_gone", Once(at(60)), at(1))),
        "the run is not there": lambda h: with_acts(h, act("run", at(1), execution_id="exe_gone")),
        "the deletion is not there": lambda h: with_acts(h, act("delete", at(5.1))),
        "the edit is not there": lambda h: with_acts(h, act("edit", at(5.1), schedule=Cron("30 * * * *"))),
        "the pause is not there": lambda h: with_acts(h, act("pause", at(5.1))),
        "the resumption is not there": lambda h: with_acts(paused_at(5.1)(h), act("resume", at(5.12))),
        "the cancelling is not there": lambda h: with_acts(h, act("cancel", at(5), execution_id=LAST)),
    },
    "I14": {
        "a process grew": lambda h: with_log(
            h, memory=[Memory(at=at(4), process="worker-1", resident_bytes=100_000_001)]
        )
    },
    "I15": {
        "a secret in a log": text("password s3cr/et"),
        "a secret in a URL": text("postgresql://cronhook:s3cr%2Fet@host/db"),
    },
    "I16": {
        "a traceback": text("Traceback (most recent call last)"),
        "a failed pass": text('{"level": "error", "event": "pass_failed"}'),
        "a connection that nobody gave back": text("The garbage collector is trying to clean up non-checked-in conn"),
        "an internal error": lambda h: with_log(h, answers=[answer("GET", "/v1/jobs", 500)]),
        "a 503 that does not say when to come back": lambda h: with_log(h, answers=[answer("GET", "/v1/jobs", 503)]),
    },
    "I17": {
        "an execution in another workspace": row("executions", FIRST, workspace_id="wsp_2"),
        "an attempt in another workspace": row("attempts", (FIRST, 1), workspace_id="wsp_2"),
        "a foreign job was shown": lambda h: with_log(
            h, answers=[answer("GET", "/v1/jobs", 200, workspace_id="wsp_2", ids=frozenset({TICK}))]
        ),
    },
    "I18": {
        "it stayed ill": unhealthy("worker-1", pid=11, healthy=False),
        "it was restarted": unhealthy("worker-1", pid=12, healthy=True),
        "it was ill for long": probed_late,
        "it was restarted when another was hit": restarted_with("worker-2"),
    },
    "I21": {
        "a retry an hour late": retried(timedelta(hours=1)),
        "a retry later than its delay and the bound allow": retried(36 * SECOND),
        "a retry a millisecond after the failure": retried(MS),
        "a retry a little too early": retried(26 * SECOND),
        "a retry before the receiver's time": lambda h: retried(20 * SECOND)(asked_to_wait(h)),
        "one of many retries an hour late": lambda h: many_more(300, last=timedelta())(retried(timedelta(hours=1))(h)),
        "one of many first attempts an hour late": many_more(300, last=timedelta(hours=1)),
    },
    "I22": {"late while the row of another job was locked": locked_row(ONCE)},
}
GOOD: dict[str, Change] = {
    "nothing but what is": lambda h: h,
    "an instant so new that it may come yet": lambda h: attrs.evolve(
        gone_without_trace(h, LAST), taken_at=at(5) + 3 * SECOND
    ),
    "a pause beside an instant": lambda h: paused_at(5.01)(gone_without_trace(h, LAST)),
    "a pause and a resumption": lambda h: with_row(
        resumed_at(3.5)(h), "executions", CAUGHT_UP, missed_count=0, missed_from=None
    ),
    "a retry that a pause cancelled": retry_cancelled_by_a_pause,
    "a pause that nobody answered": lambda h: with_acts(
        gone_without_trace(h, LAST), act("pause", at(4.2), answered_at=None)
    ),
    "an edit whose answer was lost": lambda h: with_acts(
        h, act("edit", at(4.2), answered_at=None, schedule=Cron("30 * * * *"))
    ),
    "the same schedule written again": lambda h: with_acts(h, act("edit", at(4.2), schedule=Cron("* * * * *"))),
    "many missed": missed_many(400),
    "more missed than are counted": missed_many(1500),
    "a receiver that wants no more": lambda h: with_acts(gone_without_trace(h, LAST), act("gone", at(4.2))),
    "an instant that somebody knows to be unplanned": lambda h: attrs.evolve(
        gone_without_trace(h, LAST), unplanned={TICK: at(5)}
    ),
    "an instant from just before its creation": lambda h: attrs.evolve(
        h, acts=(h.acts[0], create(ONCE, Once(at(1.5)), at(1.5) + 3 * SECOND), h.acts[2])
    ),
    "a worker killed while it sent": worker_killed_while_sending,
    "a receiver killed while it answered": receiver_killed(NOON),
    "an older attempt that left late": older_attempt_left_late,
    "lost three times": lambda h: failed_after_losses(h, 3),
    "a request that an orderly stop cut off": interrupted,
    "a request that an orderly stop of a known worker cut off": stopped_in_order("interrupted"),
    "a success of one that was given up": late_success,
    "a success that came too late": too_late_success,
    "a row that began within the clocks' tolerance": all_later(-49 * MS),
    "a slow one among many": lambda h: all_later(1 * SECOND)(h),
    "a send that the dead worker never heard the end of": lambda h: with_arrival(
        h, (LOST, 1), status=200, answered_at=at(2.1), fate="closed"
    ),
    "a deletion": lambda h: with_acts(
        with_row(h, "jobs", TICK, deleted_at=at(5.1), status="inactive"), act("delete", at(5.1))
    ),
    "a claim, a failure and another claim": lambda h: transition("queued", "running", 1, 2)(
        transition("running", "queued", 1, 1)(h)
    ),
    "another workspace's own": lambda h: with_rows(
        with_log(h, answers=[answer("GET", "/v1/jobs", 200, workspace_id="wsp_2", ids=frozenset({"job_other"}))]),
        "jobs",
        job("job_other", workspace_id="wsp_2"),
    ),
    "a send that was leaving when its worker was stopped": stopped_while_sending(
        signed=timedelta(), received=9 * SECOND
    ),
    "late for what came right after": late_before(2 * SECOND),
    "late while its own row was locked": locked_row(TICK),
    "a retry as early as it may be": retried(28 * SECOND),
    "a retry as late as it may be": retried(34 * SECOND),
    "a retry at the time that the receiver named": asked_to_wait,
    "a restart of what a fault of its own had hit": restarted_with("worker-1"),
    "a fault that the next one cut short": lambda h: with_log(
        probed_late(h), faults=[Fault(kind="kill", target="redis", began=at(2.05), ended=at(2.06))]
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_breaks_nothing(name: str) -> None:
    assert judge(GOOD[name](a_good_history()), BOUNDS) == []


@pytest.mark.parametrize(("invariant", "name"), [(invariant, name) for invariant in BAD for name in BAD[invariant]])
def test_a_bad_history_breaks_its_invariant(invariant: str, name: str) -> None:
    found = judge(BAD[invariant][name](a_good_history()), BOUNDS, only=[invariant])
    assert {violation.invariant for violation in found} == {invariant}


def test_the_end_of_a_job_changes_nothing_of_when_it_was_due() -> None:
    """Though the act that tells of it names the same instant."""
    history = a_good_history()
    ended = act("ended", AT_ONCE + timedelta(seconds=3), job_id=ONCE, schedule=Once(AT_ONCE))
    expected = lateness_by_class(history, class_name)
    assert lateness_by_class(with_acts(history, ended), class_name) == expected
    assert min(min(late) for late in expected.values()) >= timedelta()


def test_one_that_is_an_hour_late_among_many_is_seen_by_the_bound_of_the_worst_only() -> None:
    history = many_more(300, last=timedelta(hours=1))(a_good_history())
    found = judge(history, BOUNDS, only=["I11", "I21"])
    assert [violation.invariant for violation in found] == ["I21"]


def test_every_invariant_has_bad_histories() -> None:
    assert list(BAD) == list(CHECKS) == [*(f"I{number}" for number in range(1, 19)), "I21", "I22"]


def test_the_oracle_loads_nothing_of_cronhook() -> None:
    code = "import sys, tests.faults.oracle, tests.faults.records; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "tests.faults.state_checks" in done.stdout
    assert "cronhook" not in done.stdout


def test_the_oracle_imports_nothing_of_cronhook() -> None:
    modules = [path for path in Path(__file__).parent.glob("*.py") if path.name.endswith(("_checks.py", "oracle.py"))]
    modules += [Path(__file__).with_name(f"{name}.py") for name in ("history", "periods", "records", "timetable")]
    imported = {
        name
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert len(modules) >= 9
    assert [name for name in imported if name.startswith("cronhook")] == []

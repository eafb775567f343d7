"""Changes to the history in which all is well: what goes wrong, or what may look as if it did."""

from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from tests.faults.history import Cron, Fault, History, Probe, Text
from tests.faults.made_history import (
    MS,
    NOON,
    TICK,
    act,
    arrival,
    at,
    attempt,
    create,
    execution,
    name_of,
    with_acts,
    with_arrival,
    with_log,
    with_row,
    with_rows,
    without_arrival,
    without_row,
)

Change = Callable[[History], History]

FIRST, RETRIED, LOST, CAUGHT_UP, LAST = (name_of(TICK, at(minute)) for minute in (0, 1, 2, 4, 5))
SECOND = timedelta(seconds=1)


def gone_without_trace(history: History, name: str) -> History:
    history = without_row(without_row(history, "executions", name), "attempts", (name, 1))
    return without_arrival(history, (name, 1))


def retry_cancelled_by_a_pause(history: History) -> History:
    """12:01 failed, and the job was paused for a moment before it could be tried again."""
    history = without_arrival(without_row(history, "attempts", (RETRIED, 2)), (RETRIED, 2))
    history = with_row(history, "executions", RETRIED, status="cancelled", reason="paused", attempt_no=1)
    return with_acts(history, act("pause", at(1.4)), act("resume", at(1.45)))


def planned_twice(history: History) -> History:
    double = execution(TICK, NOON, id="exe_double")
    row = attempt(double)
    doubled = with_rows(with_rows(history, "executions", double), "attempts", row)
    return attrs.evolve(doubled, arrivals=(*history.arrivals, arrival(row)))


def sent_again(history: History) -> History:
    """12:00 was delivered, its worker cut off all the same, and it was sent once more."""
    row = attempt({**history.executions[FIRST]}, 2, after=11 * SECOND)
    history = with_row(history, "executions", FIRST, attempt_no=2, losses=1, finished_at=row["finished_at"])
    history = with_row(history, "attempts", (FIRST, 1), outcome="lost", worker_id="wrk_3")
    history = with_rows(history, "attempts", row)
    return attrs.evolve(history, arrivals=(*history.arrivals, arrival(row)))


def worker_killed_while_sending(history: History) -> History:
    kill = Fault(kind="kill", target="worker-3", began=NOON, ended=NOON, hard=True, sends_in_flight=1)
    return with_log(sent_again(history), faults=[attrs.evolve(kill, workers=frozenset({"wrk_3"}))])


def another_worker_killed(history: History) -> History:
    history = worker_killed_while_sending(history)
    faults = [attrs.evolve(fault, workers=frozenset({"wrk_2"})) for fault in history.fault_log.faults]
    return attrs.evolve(history, fault_log=attrs.evolve(history.fault_log, faults=faults))


def older_attempt_left_late(history: History) -> History:
    """12:00's worker stood still before its request left, which arrived when the next attempt had been answered."""
    history = worker_killed_while_sending(history)
    (first,) = (a for a in history.arrivals_of[FIRST] if a.attempt_no == 1)
    late = first.received_at + 20 * SECOND
    history = with_arrival(history, (FIRST, 1), received_at=late, answered_at=late)
    faults = [attrs.evolve(fault, lateness=30 * SECOND) for fault in history.fault_log.faults]
    return attrs.evolve(history, fault_log=attrs.evolve(history.fault_log, faults=faults))


def receiver_killed(moment: datetime) -> Change:
    """Its answer of 12:00 was lost, if it was killed at that moment."""
    kill = Fault(kind="kill", target="receiver", began=moment, ended=moment + SECOND, hard=True, sends_in_flight=1)
    return lambda history: with_log(sent_again(history), faults=[kill])


def nothing_in_flight(history: History) -> History:
    faults = [attrs.evolve(fault, sends_in_flight=0) for fault in history.fault_log.faults]
    return attrs.evolve(history, fault_log=attrs.evolve(history.fault_log, faults=faults))


def database_away(history: History) -> History:
    outage = Fault(kind="outage", target="postgres", began=NOON, ended=at(0.2), workers=frozenset({"wrk_3"}))
    return with_log(nothing_in_flight(sent_again(history)), faults=[outage])


def failed_after_losses(history: History, losses: int) -> History:
    row = {**history.executions[LAST], "status": "failed", "reason": "lost", "losses": losses, "attempt_no": losses}
    lost = {"outcome": "lost", "response_status": None, "worker_id": "wrk_2"}
    rows = [attempt(row, n, after=n * SECOND, **lost) for n in range(1, losses + 1)]
    history = with_row(without_row(history, "attempts", (LAST, 1)), "executions", LAST, **row)
    return without_arrival(with_rows(history, "attempts", *rows), (LAST, 1))


def interrupted(history: History) -> History:
    """12:02's worker was stopped in order, and its grace ended before the receiver answered."""
    return with_row(with_row(history, "attempts", (LOST, 1), outcome="interrupted"), "executions", LOST, losses=0)


def stopped_in_order(outcome: str) -> Change:
    """12:02's worker was not killed, but stopped in order, and its attempt ended so."""

    def change(history: History) -> History:
        history = interrupted(history) if outcome == "interrupted" else history
        first, *others = history.fault_log.faults
        orderly = attrs.evolve(first, kind="SIGTERM", orderly=True)
        return attrs.evolve(history, fault_log=attrs.evolve(history.fault_log, faults=[orderly, *others]))

    return change


def late_success(history: History) -> History:
    """A worker that had been given up delivered 12:05 before anybody else claimed it."""
    return with_row(history, "executions", LAST, losses=1)


def too_late_success(history: History) -> History:
    """12:02's worker was not killed but only stopped for long; its 2xx came when another had claimed."""
    history = with_row(history, "attempts", (LOST, 1), outcome="succeeded", late=True, response_status=200)
    return with_arrival(history, (LOST, 1), status=200, answered_at=at(2.15), fate="answered")


def timed_out(history: History) -> History:
    history = with_row(history, "attempts", (LAST, 1), outcome="timeout", response_status=None)
    later = {"status": "queued", "finished_at": None, "retries_used": 1, "available_at": at(5.5)}
    return with_row(history, "executions", LAST, **later)


def paused_at(minute: float) -> Change:
    def change(history: History) -> History:
        return with_acts(with_row(history, "jobs", TICK, status="paused"), act("pause", at(minute)))

    return change


def edited(history: History) -> History:
    """12:04 and 12:05 are none of the new schedule's; 12:05 was planned all the same."""
    hourly = Cron("30 * * * *")
    history = with_row(history, "jobs", TICK, cron=hourly.expression)
    return with_acts(history, act("edit", at(4.2), schedule=hourly))


def resumed_at(minute: float) -> Change:
    return lambda history: with_acts(history, act("pause", at(2.5)), act("resume", at(minute)))


def missed_many(counted: int) -> Change:
    def change(history: History) -> History:
        """All that came before 12:04 is counted on it, and the job is older than that."""
        first = at(4) - timedelta(minutes=counted)
        for name in (FIRST, RETRIED, LOST):
            for key in ((name, 1), (name, 2)):
                history = without_arrival(without_row(history, "attempts", key), key)
            history = without_row(history, "executions", name)
        history = with_row(history, "executions", CAUGHT_UP, missed_count=min(counted, 1000), missed_from=first)
        acts = (create(TICK, Cron("* * * * *"), first - 20 * SECOND), *history.acts[1:])
        history = attrs.evolve(history, acts=acts, database=attrs.evolve(history.database, transitions=()))
        return with_log(history, faults=[])

    return change


def text(content: str) -> Change:
    return lambda history: with_log(history, texts=[Text("scheduler-1", content)])


def transition(old: str | None, new: str | None, before: int, after: int, **of_job: object) -> Change:
    states: dict[str, object] = {"old_status": old, "new_status": new, "job_status": "active", "job_deleted_at": None}
    row = {"execution_id": FIRST, **states, **of_job}
    return lambda history: with_rows(
        history, "transitions", {**row, "n": 99, "old_attempt_no": before, "new_attempt_no": after}
    )


def row(table: str, key: str | tuple[str, int], **changes: object) -> Change:
    return lambda history: with_row(history, table, key, **changes)


def all_later(by: timedelta) -> Change:
    def change(history: History) -> History:
        answered = history.arrivals[0].answered_at
        assert answered is not None
        received = history.arrivals[0].received_at
        return with_arrival(history, (FIRST, 1), received_at=received + by, answered_at=answered + by)

    return change


def unhealthy(process: str, *, pid: int, healthy: bool) -> Change:
    def change(history: History) -> History:
        log = history.fault_log
        probes = [
            attrs.evolve(p, healthy=healthy, pid=pid) if p.process == process and p.at >= at(2.05) else p
            for p in log.probes
        ]
        return attrs.evolve(history, fault_log=attrs.evolve(log, probes=probes))

    return change


def probed_late(history: History) -> History:
    log = history.fault_log
    kept = [probe for probe in log.probes if probe.at != at(2.05)]
    seen = [
        Probe(at=at(2) + 6 * SECOND, process=name, pid=pid, healthy=True)
        for name, pid in (("worker-1", 11), ("schedulers", 21))
    ]
    return attrs.evolve(history, fault_log=attrs.evolve(log, probes=[*kept, *seen]))


def stopped_while_sending(*, signed: timedelta, received: timedelta, stopped: timedelta = 15 * MS) -> Change:
    """12:05's worker stands still until 9 s after that instant, and may start nothing from 3 s after it on."""

    def change(history: History) -> History:
        ended, came = at(5) + 9 * SECOND, at(5) + received
        fault = Fault(
            kind="SIGSTOP",
            target="worker-3",
            began=at(5) + stopped,
            ended=ended,
            workers=frozenset({"wrk_1"}),
            lateness=10 * SECOND,
            foretaste=SECOND,
        )
        seen = [
            Probe(at=ended + SECOND, process=name, pid=pid, healthy=True)
            for name, pid in (("worker-1", 11), ("schedulers", 21))
        ]
        told = with_log(history, faults=[fault], probes=seen)
        told = attrs.evolve(told, fault_log=attrs.evolve(told.fault_log, trust_ended={"wrk_1": at(5) + 3 * SECOND}))
        return with_arrival(
            told, (LAST, 1), received_at=came, answered_at=came, timestamp=int((at(5) + signed).timestamp())
        )

    return change


def retried(after: timedelta) -> Change:
    """12:01's retry came so long after the failure."""

    def change(history: History) -> History:
        sent_at = history.attempts[RETRIED, 1]["finished_at"] + after
        history = with_row(history, "attempts", (RETRIED, 2), started_at=sent_at, finished_at=sent_at + 250 * MS)
        return with_arrival(history, (RETRIED, 2), received_at=sent_at, answered_at=sent_at + 200 * MS)

    return change


def asked_to_wait(history: History) -> History:
    """12:01's receiver named a time that is later than the delay."""
    until = history.attempts[RETRIED, 1]["finished_at"] + 90 * SECOND
    history = with_row(history, "attempts", (RETRIED, 1), response_status=503, next_attempt_at=until)
    return retried(91 * SECOND)(with_arrival(history, (RETRIED, 1), status=503))


def many_more(count: int, *, last: timedelta) -> Change:
    """So many that came in time, within a minute, and one more that came so late."""

    def change(history: History) -> History:
        rows = [execution(TICK, NOON + number * MS, id=f"exe_{number}") for number in range(count + 1)]
        arrivals = [arrival(attempt(row)) for row in rows]
        arrivals[-1] = attrs.evolve(arrivals[-1], received_at=arrivals[-1].received_at + last)
        return attrs.evolve(with_rows(history, "executions", *rows), arrivals=[*history.arrivals, *arrivals])

    return change


def locked_row(*jobs: str) -> Change:
    """What was due at noon came 3 s late, while the rows of these jobs were locked."""
    fault = Fault(
        kind="row lock",
        target="postgres",
        began=NOON - SECOND,
        ended=NOON + 2 * SECOND,
        lateness=5 * SECOND,
        jobs=frozenset(jobs),
    )
    return lambda history: with_log(all_later(3 * SECOND)(history), faults=[fault])


def late_before(foretaste: timedelta) -> Change:
    """What was due at noon came 3 s late, for something broke a second after noon."""
    fault = Fault(
        kind="kill",
        target="redis",
        began=NOON + SECOND,
        ended=NOON + SECOND,
        lateness=5 * SECOND,
        foretaste=foretaste,
    )
    return lambda history: with_log(all_later(3 * SECOND)(history), faults=[fault])


def restarted_with(target: str) -> Change:
    fault = Fault(kind="kill", target=target, began=at(2), ended=at(2) + 100 * MS)
    return lambda history: with_log(unhealthy("worker-1", pid=12, healthy=True)(history), faults=[fault])

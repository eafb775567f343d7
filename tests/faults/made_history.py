"""A history made by hand in which all is well, and ways to change it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from tests.faults.history import (
    Act,
    Answer,
    Arrival,
    Cron,
    Database,
    Fault,
    FaultLog,
    History,
    Memory,
    Once,
    Probe,
    Row,
    Text,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MS = timedelta(milliseconds=1)
TICK, ONCE = "job_tick", "job_once"
AT_ONCE = NOON + timedelta(seconds=90)


def at(minute: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minute)


def job(job_id: str, **changes: Any) -> dict[str, Any]:
    row = {
        "id": job_id,
        "workspace_id": "wsp_1",
        "status": "active",
        "inactive_reason": None,
        "revision": 1,
        "next_run": at(6),
        "planned_through": at(5),
        "run_at": None,
        "cron": "* * * * *",
        "timezone": "UTC",
        "host": "receiver",
        "timeout_us": 10_000_000,
        "retries": 3,
        "delays": [30, 120, 600],
        "deleted_at": None,
        "created_at": at(-0.5),
        "updated_at": at(-0.5),
    }
    return row | changes


COMPLETED = {"status": "inactive", "inactive_reason": "completed"}


def execution(job_id: str, instant: datetime, **changes: Any) -> dict[str, Any]:
    """A scheduled one that succeeded at the first attempt."""
    row = {
        "id": name_of(job_id, instant),
        "job_id": job_id,
        "workspace_id": "wsp_1",
        "host": "receiver",
        "trigger": "schedule",
        "status": "succeeded",
        "reason": None,
        "worker_id": None,
        "scheduled_for": instant,
        "available_at": instant,
        "created_at": instant,
        "started_at": instant + 10 * MS,
        "finished_at": instant + 300 * MS,
        "missed_from": None,
        "missed_count": 0,
        "attempt_no": 1,
        "retries_used": 0,
        "losses": 0,
        "releases": 0,
    }
    return row | changes


def attempt(of: Row, number: int = 1, *, after: timedelta = 10 * MS, **changes: Any) -> dict[str, Any]:
    """A successful one that began `after` the execution's instant."""
    row = {
        "execution_id": of["id"],
        "attempt_no": number,
        "job_id": of["job_id"],
        "workspace_id": "wsp_1",
        "worker_id": "wrk_1",
        "scheduled_for": of["scheduled_for"],
        "started_at": of["scheduled_for"] + after,
        "finished_at": of["scheduled_for"] + after + 250 * MS,
        "next_attempt_at": None,
        "outcome": "succeeded",
        "late": False,
        "response_status": 200,
    }
    return row | changes


def arrival(of: Row, **changes: Any) -> Arrival:
    """The POST of an attempt, 10 ms after it began, answered as its row says after 200 ms."""
    received_at = of["started_at"] + 10 * MS
    made = Arrival(
        execution_id=of["execution_id"],
        attempt_no=of["attempt_no"],
        job_id=of["job_id"],
        scheduled_for=of["scheduled_for"],
        received_at=received_at,
        status=of["response_status"],
        answered_at=received_at + 200 * MS,
        timestamp=int(of["started_at"].timestamp()),
    )
    return attrs.evolve(made, **changes)


def name_of(job_id: str, instant: datetime) -> str:
    return f"exe_{job_id}_{instant:%H%M%S}"


def create(job_id: str, schedule: Cron | Once, when: datetime, **changes: Any) -> Act:
    return act("create", when, job_id=job_id, schedule=schedule, **{"retries": 3, **changes})


def act(kind: str, when: datetime, *, job_id: str = TICK, **changes: Any) -> Act:
    """Something that was asked for, and answered 2xx 5 ms later."""
    made = Act(kind=kind, job_id=job_id, asked_at=when, answered_at=when + 5 * MS)
    return attrs.evolve(made, **changes)


def a_good_history() -> History:
    """A job that runs every minute and one that ran once; noon and 12:05 went smoothly. In between:

    12:01 was answered 500 and retried; at 12:02 its worker was killed, with one send in flight; 12:03 was missed while
    the schedulers were away, and counts on 12:04. Somebody ran the job by hand.
    """
    minutes = [execution(TICK, at(minute)) for minute in (0, 1, 2, 4, 5)]
    noon, retried, lost, caught_up, last = minutes
    retried |= {"attempt_no": 2, "retries_used": 1, "finished_at": at(1.6)}
    lost |= {"attempt_no": 2, "losses": 1, "finished_at": at(2.2)}
    caught_up |= {"missed_count": 1, "missed_from": at(3)}
    by_hand = execution(TICK, at(4.5), id="exe_by_hand", trigger="manual")
    single = execution(ONCE, AT_ONCE)
    attempts = [
        *(attempt(row) for row in (noon, caught_up, last, by_hand, single)),
        attempt(retried, outcome="http_error", response_status=500, next_attempt_at=at(1.5)),
        attempt(retried, 2, after=timedelta(seconds=31)),
        attempt(lost, outcome="lost", response_status=None, worker_id="wrk_2"),
        attempt(lost, 2, after=timedelta(seconds=11)),
    ]
    worker = {"beat": 160, "registered_at": at(-1), "last_beat_at": at(5), "buried_at": None}
    return History(
        acts=(
            create(TICK, Cron("* * * * *"), at(-0.5)),
            create(ONCE, Once(AT_ONCE), at(1)),
            act("run", at(4.5), execution_id="exe_by_hand"),
        ),
        database=Database(
            jobs=(
                job(TICK),
                job(ONCE, cron=None, timezone=None, run_at=AT_ONCE, next_run=None, **COMPLETED),
            ),
            executions=(*minutes, by_hand, single),
            attempts=attempts,
            workers=({"id": "wrk_1", **worker}, {"id": "wrk_2", **worker, "buried_at": at(2.15)}),
            transitions=transitions(minutes),
        ),
        arrivals=[arrival(row) for row in sorted(attempts, key=lambda row: row["started_at"])],
        fault_log=_fault_log(),
        taken_at=at(5) + timedelta(seconds=10),
    )


def transitions(executions: Sequence[Row]) -> list[Row]:
    """What a smooth run writes down of each execution."""
    changes = ((None, "queued", None, 0), ("queued", "running", 0, 1), ("running", "succeeded", 1, 1))
    columns = ("old_status", "new_status", "old_attempt_no", "new_attempt_no")
    of_job = {"job_status": "active", "job_deleted_at": None}
    rows = [
        {"execution_id": e["id"], **of_job, **dict(zip(columns, change, strict=True))}
        for e in executions
        for change in changes
    ]
    return [{"n": number, **row} for number, row in enumerate(rows)]


def _fault_log() -> FaultLog:
    kill = Fault(
        kind="kill",
        target="worker-2",
        began=at(2) + 100 * MS,
        ended=at(2) + 100 * MS,
        hard=True,
        sends_in_flight=1,
        workers=frozenset({"wrk_2"}),
        lateness=timedelta(seconds=12),
    )
    away = Fault(kind="kill", target="schedulers", began=at(2.9), ended=at(3.9), lateness=timedelta(seconds=63))
    processes = [("worker-1", 11), ("schedulers", 21)]
    looks = [at(minute) for minute in (0, 0.05, 1, 2, 2.05, 2.8, 3.95, 5)]
    return FaultLog(
        faults=(kill, away),
        texts=(Text("worker-1", '{"event": "attempt", "outcome": "succeeded"}'), Text("metrics", "cronhook_up 1")),
        answers=(
            answer("POST", "/v1/jobs", 201, ids=frozenset({TICK})),
            answer("GET", f"/v1/jobs/{TICK}", 503, retry_after=True),
            answer("GET", "/health", 500),
        ),
        probes=[Probe(at=when, process=name, pid=pid, healthy=True) for name, pid in processes for when in looks],
        memory=(Memory(at=at(3), process="worker-1", resident_bytes=80_000_000),),
        planted_secrets=("s3cr/et",),
    )


def answer(method: str, path: str, status: int, **changes: Any) -> Answer:
    made = Answer(at=at(0), method=method, path=path, status=status, workspace_id="wsp_1")
    return attrs.evolve(made, **changes)


def with_row(history: History, table: str, key: str | tuple[str, int], **changes: Any) -> History:
    """The history with one row changed: of an attempt, the key is its execution's id and its number."""
    rows = [row | changes if _key(row) == key else row for row in map(dict, getattr(history.database, table))]
    assert rows != list(getattr(history.database, table)), f"no row of {table} has the key {key}"
    return attrs.evolve(history, database=attrs.evolve(history.database, **{table: rows}))


def without_row(history: History, table: str, key: str | tuple[str, int]) -> History:
    rows = [row for row in getattr(history.database, table) if _key(row) != key]
    return attrs.evolve(history, database=attrs.evolve(history.database, **{table: rows}))


def with_rows(history: History, table: str, *rows: Row) -> History:
    more = (*getattr(history.database, table), *rows)
    return attrs.evolve(history, database=attrs.evolve(history.database, **{table: more}))


def with_arrival(history: History, key: tuple[str, int], **changes: Any) -> History:
    """The history with one arrival changed."""
    arrivals = [attrs.evolve(a, **changes) if key == (a.execution_id, a.attempt_no) else a for a in history.arrivals]
    return attrs.evolve(history, arrivals=arrivals)


def without_arrival(history: History, key: tuple[str, int]) -> History:
    arrivals = [a for a in history.arrivals if key != (a.execution_id, a.attempt_no)]
    return attrs.evolve(history, arrivals=arrivals)


def with_acts(history: History, *acts: Act) -> History:
    return attrs.evolve(history, acts=(*history.acts, *acts))


def with_log(history: History, **additions: Sequence[Any]) -> History:
    """The history with more in its fault log."""
    log = history.fault_log
    more: dict[str, Any] = {name: (*getattr(log, name), *added) for name, added in additions.items()}
    return attrs.evolve(history, fault_log=attrs.evolve(log, **more))


def _key(row: Row) -> str | tuple[str, int]:
    return row["id"] if "id" in row else (row["execution_id"], row["attempt_no"])

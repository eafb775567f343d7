"""A foreign session that holds the row of a job, and what must not follow from it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from tests.faults.history import Act
from tests.faults.installation import Installation, Load, ahead
from tests.faults.processes import CronhookProcess
from tests.faults.scripted_receiver import ScriptedReceiver

PER_SECOND = 10
FLAPS = {"its planning hangs", "the database is away"}


@contextmanager
def held(postgres_url: str, *job_ids: str) -> Iterator[None]:
    """The rows of these jobs are locked, as by somebody who began a transaction and went away."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SELECT FROM jobs WHERE id = ANY (%s) FOR UPDATE", [list(job_ids)])
        yield
        connection.rollback()


def hold_one_of_many(
    installation: Installation, receiver: ScriptedReceiver, postgres_url: str, *, seconds: int, late: float
) -> list[Act]:
    """Lock the row of a job before it is due, and keep it while others are due for so long; they are sent on time."""
    act = installation.stored(run_at=ahead(seconds=1.5), callback_url=receiver.url("/ok"))
    with held(postgres_url, act.job_id), Load(installation, receiver.url("/ok"), per_second=PER_SECOND) as load:
        arrivals = receiver.wait_for(seconds * PER_SECOND, 10 * seconds)
    assert act.job_id not in {arrival.job_id for arrival in arrivals}
    lateness = [(arrival.received_at - arrival.scheduled_for).total_seconds() for arrival in arrivals]
    print(f"while a row was locked: p50 {statistics.median(lateness):.3f} s, max {max(lateness):.3f} s late")
    assert statistics.median(lateness) <= late
    return [act, *load.acts]


def assert_nobody_took_it_for_an_outage(processes: Sequence[CronhookProcess]) -> None:
    for process in processes:
        assert process.events("dependency_away") == []
        assert process.events("leader_stuck") == []
        assert process.events("pass_failed") == []
        assert FLAPS.isdisjoint(event["reason"] for event in process.events("leadership"))

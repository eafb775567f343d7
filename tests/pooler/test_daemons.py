"""Daemons whose database is behind a real PgBouncer in transaction mode."""

from __future__ import annotations

from collections import Counter

import psycopg
import pytest

from tests.faults.held_rows import assert_nobody_took_it_for_an_outage, hold_one_of_many
from tests.faults.installation import Installation, Load, ahead, leader
from tests.faults.scripted_receiver import ScriptedReceiver

pytestmark = pytest.mark.debian


@pytest.mark.parametrize("with_redis", [True, False], ids=["with Redis", "without Redis"])
def test_all_is_delivered_once_and_the_lead_is_handed_over(
    request: pytest.FixtureRequest, pooled_url: str, with_redis: bool
) -> None:
    redis_url = request.getfixturevalue("redis_url") if with_redis else None
    with (
        ScriptedReceiver() as receiver,
        Installation(pooled_url, redis_url, CRONHOOK_DATABASE_POOLER="transaction") as installation,
    ):
        processes = installation.open("scheduler", "scheduler", "worker", "worker")
        schedulers = processes[1:3]
        with Load(installation, receiver.url("/between/0.1/0.5/ok"), per_second=20) as load:
            receiver.wait_for(40)
            leader(schedulers).kill()
            receiver.wait_for(len(receiver.arrivals) + 40)
        retried = installation.create(
            run_at=ahead(seconds=0.5), callback_url=receiver.url("/status/500"), retry_delays_seconds=[1]
        )
        installation.wait_until_done(60)
        arrivals = Counter(arrival.job_id for arrival in receiver.arrivals)
        assert arrivals == {**dict.fromkeys(load.stored, 1), retried["id"]: 2}
        for process in processes:
            assert "Traceback" not in process.log()
            assert process.events("pass_failed") == []


def test_a_locked_job_delays_no_other(pooled_url: str, direct_url: str) -> None:
    """Nor where the role has no time limit for locks, which a pooler takes from nobody else."""
    with psycopg.connect(direct_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{direct_url.rpartition("/")[2]}" SET lock_timeout = 0')  # type: ignore[call-overload]
    with (
        ScriptedReceiver() as receiver,
        Installation(pooled_url, None, CRONHOOK_DATABASE_POOLER="transaction") as installation,
    ):
        _, *schedulers, _ = processes = installation.open("scheduler", "scheduler", "worker")
        leader(schedulers)
        hold_one_of_many(installation, receiver, direct_url, seconds=8, late=1.5)
        installation.wait_until_done(60)
        assert_nobody_took_it_for_an_outage(processes)

"""Daemons whose database is behind a real PgBouncer in transaction mode."""

from __future__ import annotations

from collections import Counter

import pytest

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

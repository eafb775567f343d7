"""The row of one job is locked by somebody else: that job waits, and nobody else does."""

from __future__ import annotations

import pytest

from tests.faults.held_rows import assert_nobody_took_it_for_an_outage, held, hold_one_of_many
from tests.faults.installation import SCHEDULERS, Installation, ahead, leader
from tests.faults.scripted_receiver import ScriptedReceiver
from tests.faults.verdict import allowed, hard, verdict
from tests.services import wait_until


def test_a_locked_job_delays_no_other(
    installation: Installation, scripted_receiver: ScriptedReceiver, full: bool
) -> None:
    _, *schedulers, _ = processes = installation.open(*SCHEDULERS[: 3 if full else 2], "worker")
    leading = leader(schedulers)
    acts = hold_one_of_many(
        installation, scripted_receiver, installation.postgres_url, seconds=12 if full else 4, late=0.5 if full else 1.5
    )
    assert verdict(installation, scripted_receiver, acts, lateness=allowed(full, 13)) == []
    assert_nobody_took_it_for_an_outage(processes)
    assert not full or leader(schedulers) is leading


@pytest.mark.full
def test_a_locked_job_of_a_dead_worker_keeps_no_other_execution_from_being_retried(
    installation: Installation, scripted_receiver: ScriptedReceiver
) -> None:
    """Another worker falls silent while the row is still locked, and is found dead as soon as the first one was."""
    _, scheduler, first = installation.open("scheduler", "worker")
    leader([scheduler])
    slow = scripted_receiver.url("/between/3/3.5/ok")
    acts = [installation.stored(run_at=ahead(seconds=0.5), callback_url=slow) for _ in range(11)]
    scripted_receiver.wait_for(11)
    began = ahead()
    with held(installation.postgres_url, acts[0].job_id):
        first.kill()
        second = installation.start("worker")
        again = scripted_receiver.wait_for(21, 30)
        assert {arrival.job_id for arrival in again[11:]} == {act.job_id for act in acts[1:]}
        second.kill()
        third = installation.start("worker")
        wait_until(lambda: len(scheduler.events("worker_buried")) == 2, 15, "the second worker is buried")
    faults = [hard("worker killed", 21, first, second, began=began)]
    assert verdict(installation, scripted_receiver, acts, faults=faults, within=90) == []
    assert_nobody_took_it_for_an_outage([scheduler, third])

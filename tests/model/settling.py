"""The end of every example: all faults end, all work comes to its end, and the oracle judges it all."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from cronhook_core.domain.job import JobStatus
from tests.faults.history import Row
from tests.model.ledger import Broken
from tests.model.world import WORKSPACE, World

ROUNDS = 60
"""After so many rounds of everybody's work, what has not ended never will."""
ROUND_SECONDS = 3


def settle(world: World) -> None:
    """Raises `Broken` for what does not come to rest, and for what the oracle finds then."""
    _heal(world)
    for _ in range(ROUNDS):
        if not unfinished(world) and not any(node.passes for node in world.nodes):
            world.ledger.judge_all()
            return
        _work(world)
    raise Broken(f"it does not come to rest: {', '.join(unfinished(world))}")


def unfinished(world: World) -> list[str]:
    """What has still to be done."""
    now = world.api.clock.now()
    executions = [f"{row['id']} is {row['status']}" for row in _rows(world) if row["status"] in ("queued", "running")]
    active = [job for job in world.jobs if job.status is JobStatus.ACTIVE]
    return executions + [f"{job.id} is due" for job in active if job.next_run is not None and job.next_run <= now]


def _heal(world: World) -> None:
    """What was paused by hand has queued executions that will never run: those jobs are deleted."""
    world.come_back()
    world.all_lead(False)
    for node in world.nodes:
        node.suspended = node.repeats = False
        node.clock.skew = timedelta()
    for job in [job for job in world.jobs if job.status is JobStatus.PAUSED]:
        world.api.call(partial(world.api.jobs.delete, WORKSPACE, job.id))
    while world.api.calls:
        world.api.run_call(world.api.calls[0])


def _work(world: World) -> None:
    """Everybody makes a pass, every receiver answers 200, and time goes by."""
    for node in (*world.schedulers, *world.workers):
        for loop in node.loops:
            node.run(loop)
    for worker in world.workers:
        worker.send_all()
    while world.awaiting:
        world.answer(0, "ok")
    for worker in world.workers:
        worker.run("results")
    _go_by(world)
    world.ledger.judge_touched()


def _go_by(world: World) -> None:
    """A little, or at once to the next instant at which something becomes available."""
    now = world.api.clock.now()
    ahead = min((row["available_at"] - now for row in _rows(world) if row["status"] == "queued"), default=timedelta())
    if ahead > timedelta(seconds=ROUND_SECONDS) and not any(row["status"] == "running" for row in _rows(world)):
        world.step_clocks(ahead.total_seconds())
    world.advance(ROUND_SECONDS)


def _rows(world: World) -> list[Row]:
    return [row for executions in world.observer.executions.values() for row in executions.values()]

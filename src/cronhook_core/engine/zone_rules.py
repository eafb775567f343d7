"""Brings the instants of cron jobs into line with the time zone rules that this node computes by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cronhook_core.domain.planning import DueJob, JobPlan, Rescheduling
from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.domain.time_zone import LONGEST_SHIFT
from cronhook_core.engine.job_walk import PAUSE_BETWEEN_BATCHES, JobWalk
from cronhook_core.engine.planner import minute_of, next_after, unplannable
from cronhook_core.errors import InvalidRequest, Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.planning_store import PlanningStore

INTERVAL = 1.0
DONE = 86_400.0


class ZoneRules:
    """On the leader, once in a process: recomputes ``next_run`` where the store knows other rules than ``version``.

    Jobs that are due are the planner's. The store remembers the version when all are done, so that a node that dies
    before leaves the rest to the next leader, which begins anew.
    """

    def __init__(
        self,
        store: PlanningStore,
        version: str,
        *,
        clock: Clock,
        hooks: EngineHooks,
        leads: Callable[[], bool],
        moved: Callable[[], None],
    ) -> None:
        self._store = store
        self._version = version
        self._clock = clock
        self._hooks = hooks
        self._leads = leads
        self._walk = JobWalk(store, recomputed, hooks=hooks, moved=moved)
        self._agrees = False

    async def run_once(self) -> float:
        """Recompute one batch; the seconds until the next one."""
        if self._agrees:
            return DONE
        if not self._leads():
            return INTERVAL
        try:
            self._agrees = await self._step()
        except Unavailable:
            return INTERVAL
        return DONE if self._agrees else PAUSE_BETWEEN_BATCHES

    async def _step(self) -> bool:
        """Whether all instants agree now."""
        before = await self._store.zone_rules()
        if before == self._version:
            return True
        now = self._clock.now()
        moved = await self._walk.step(now, now)
        if moved is None:
            return False
        await self._store.remember_zone_rules(self._version)
        self._hooks.zone_rules_changed(before, self._version, moved)
        return True


def recomputed(job: DueJob, now: datetime) -> Rescheduling | JobPlan | None:
    """What the rules in force make of a cron job whose ``next_run`` is ahead, computed by other rules; None: nothing.

    It never moves to an instant that has passed. Where the occurrence that the job waits for has, by the rules in
    force, just passed unplanned, the job keeps the instant that it was promised, and goes by the rules after that.
    A one-time job has the same instant by any rules.
    """
    if not isinstance(job.schedule, CronSchedule):
        return None
    try:
        following = next_after(job.schedule, minute_of(max(now, job.planned_through or now)))
        if following is None:
            return unplannable(job)
        if following == job.next_run or (
            following > job.next_run and _has_just_passed(job, job.schedule, following, now)
        ):
            return None
    except InvalidRequest:  # its zone or its line means nothing any more
        return unplannable(job)
    return Rescheduling(
        job_id=job.id,
        revision=job.revision,
        expected_next_run=job.next_run,
        next_run=following,
        planned_through=job.planned_through,
    )


def _has_just_passed(job: DueJob, schedule: CronSchedule, following: datetime, now: datetime) -> bool:
    """Whether an unplanned occurrence before ``now`` is no further from ``next_run`` than ``following`` is.

    Where both are as far, either could be the one that was promised: better twice than not at all.
    """
    since = max(now - LONGEST_SHIFT, job.planned_through or now - LONGEST_SHIFT)
    first = next_after(schedule, minute_of(since))
    if first is None or first > now:
        return False
    latest = schedule.catch_up(first, now).latest
    return latest is not None and job.next_run - latest <= following - job.next_run

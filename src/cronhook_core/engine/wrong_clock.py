"""Brings back the cron jobs that a clock far ahead has planned until then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cronhook_core.domain.job_changes import CLOCKS_GO_BACK_BY, believed
from cronhook_core.domain.planning import DueJob, JobPlan, Rescheduling
from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.engine.background import until_round
from cronhook_core.engine.job_walk import PAUSE_BETWEEN_BATCHES, JobWalk
from cronhook_core.engine.planner import minute_of, next_after, unplannable
from cronhook_core.errors import InvalidRequest, Unavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.planning_store import PlanningStore

INTERVAL = 1.0
"""Seconds between two looks at the clock."""
STEP_BACK = timedelta(minutes=1)
"""A clock that goes back by more than this may have planned far ahead before."""


class WrongClock:
    """Looks through the jobs when this process begins to lead, and again after its clock went back.

    A job that was planned or written more than `CLOCKS_GO_BACK_BY` ahead of now was so by a wrong clock, and is planned
    from now on. After a step back every node looks, leader or not: one that followed may have planned as well, because
    everything seemed overdue to it.
    """

    def __init__(
        self,
        store: PlanningStore,
        *,
        clock: Clock,
        hooks: EngineHooks,
        leads: Callable[[], bool],
        moved: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._hooks = hooks
        self._leads = leads
        self._walk = JobWalk(store, replanned, hooks=hooks, moved=moved)
        self._looks_when_leading = True
        self._went_back = False
        self._started_at = self._start_of_monotonic_time()

    async def run_once(self) -> float:
        """Look at the clock and at one batch of jobs; the seconds until the next time."""
        started_at = self._start_of_monotonic_time()
        if started_at < self._started_at - STEP_BACK:
            self._went_back = True
        self._started_at = started_at
        if not self._went_back and not (self._looks_when_leading and self._leads()):
            return self._until_next_look()
        now = self._clock.now()
        try:
            moved = await self._walk.step(now + CLOCKS_GO_BACK_BY, now)
        except Unavailable:
            return self._until_next_look()
        if moved is None:
            return PAUSE_BETWEEN_BATCHES
        self._looks_when_leading = self._went_back = False
        if moved:
            self._hooks.jobs_replanned(moved)
        return self._until_next_look()

    def _until_next_look(self) -> float:
        return until_round(self._clock.monotonic(), INTERVAL)

    def _start_of_monotonic_time(self) -> datetime:
        """As the clock has it; it moves when the clock is set."""
        return self._clock.now() - timedelta(seconds=self._clock.monotonic())


def replanned(job: DueJob, now: datetime) -> Rescheduling | JobPlan | None:
    """The job planned from now on, where it was planned or written by a clock far ahead; None: it was not."""
    if not isinstance(job.schedule, CronSchedule):
        return None
    through = believed(job.schedule, job.planned_through, now)
    if through == job.planned_through and job.updated_at <= now + CLOCKS_GO_BACK_BY:
        return None
    try:
        following = next_after(job.schedule, minute_of(max(now, through or now)))
    except InvalidRequest:  # its zone or its line means nothing any more
        following = None
    if following is None:
        return unplannable(job)
    if (following, through) == (job.next_run, job.planned_through):
        return None
    return Rescheduling(
        job_id=job.id,
        revision=job.revision,
        expected_next_run=job.next_run,
        next_run=following,
        planned_through=through,
    )

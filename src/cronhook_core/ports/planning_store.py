from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cronhook_core.domain.execution import QueueMessage
from cronhook_core.domain.planning import DueJob, JobPlan, Rescheduling


class PlanningStore(Protocol):
    """What schedulers ask of the store.

    Contract: any number of schedulers may call at once, convinced or not that they lead; the guards make that harmless.
    Reads take no locks. A database that is away raises ``StoreUnavailable``. A write that waited too long for another
    transaction raises ``StoreBusy`` and has done nothing.
    """

    async def due_jobs(self, now: datetime, limit: int, *, after: DueJob | None = None) -> Sequence[DueJob]:
        """Up to ``limit`` active jobs with ``next_run`` at or before ``now``, by ``next_run`` and id, oldest first.

        ``after`` leaves out that job and all that come before it in this order, whatever became of them since. The cost
        follows the due jobs only.
        """

    async def plan(self, plans: Sequence[JobPlan], now: datetime, *, wait: bool = False) -> Sequence[str]:
        """Apply each plan whose job is still as it was read, all in one atomic step; return the ids queued.

        A job that another transaction holds is skipped, so that it delays no other job: it stays due, and a later call
        plans it. With ``wait`` it is waited for, as in any other write.

        A plan whose job changed is skipped, and so is the second of two for one job. Where (job, scheduled instant)
        already has a scheduled execution, ``next_run`` still moves and nothing is queued. ``planned_through`` never
        goes back. A job that becomes inactive gets a new revision. Order of the answer: that of ``plans``.
        """

    async def ready(
        self,
        now: datetime,
        limit: int,
        *,
        skip_hosts: Sequence[str] = (),
        skip_workspaces: Sequence[str] = (),
        with_suspects: bool = True,
        after: datetime | None = None,
    ) -> Sequence[QueueMessage]:
        """Executions that may be claimed at ``now``, by ``available_at``, oldest first: the floor under the queue.

        ``after`` leaves out what was available at or before that instant. ``with_suspects=False`` leaves out executions
        that were lost twice. A plain read: what it shows may be claimed by others meanwhile.
        """

    async def next_due(self, now: datetime) -> datetime | None:
        """The earliest instant after ``now`` at which a job is due or a queued execution becomes available.

        Due jobs at or before ``now`` count as well (they are returned as they stand), available executions do not.
        None: nothing is ahead.
        """

    async def zone_rules(self) -> str | None:
        """The version of the time zone rules that ``next_run`` was last computed by; None: nobody said so yet."""

    async def remember_zone_rules(self, version: str) -> None:
        """From now on `zone_rules` returns this."""

    async def upcoming_jobs(self, beyond: datetime, limit: int, *, after: DueJob | None = None) -> Sequence[DueJob]:
        """Up to ``limit`` active jobs whose ``next_run`` is later than ``beyond``, by ``next_run`` and then by id.

        ``after`` is the last job of the page before, as it was read; it need not be in that place any more. The cost
        follows ``limit``, however many jobs have ended.
        """

    async def reschedule(self, moves: Sequence[Rescheduling]) -> int:
        """Move each job that is still as it was read, all in one atomic step; return how many were.

        ``planned_through`` becomes what the move says, also where that is earlier.

        The revision stays, as it does when a job is planned. A repeat moves none.
        """

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from cronhook_core.ports.claim_store import ClaimStore
from cronhook_core.ports.job_catalog import JobCatalog
from cronhook_core.ports.planning_store import PlanningStore
from cronhook_core.ports.worker_registry import WorkerRegistry


class JobStore(JobCatalog, PlanningStore, ClaimStore, WorkerRegistry, Protocol):
    """Holds all truth about jobs and executions.

    Contract: that of its four parts, and upkeep. Instants are kept to the microsecond. ``now`` always comes from the
    caller; the store reads no clock.
    """

    async def ping(self) -> None:
        """Return when the store answers, within 2 s; ``StoreUnavailable`` or ``StoreBusy`` otherwise."""

    async def believed_clock(self) -> datetime | None:
        """The instant that was last given to `remember_clock`; None: there was none yet."""

    async def remember_clock(self, now: datetime) -> None:
        """From now on `believed_clock` returns this, also where it is earlier."""

    async def prune(self, before: datetime, limit: int, *, now: datetime) -> int:
        """Delete up to ``limit`` final executions that ended before ``before``, with their attempts; return how many.

        The newest execution of an active or paused job stays. Workers that were buried before ``before`` go as well,
        and idempotency records that have expired at ``now``.
        """

    async def prune_jobs(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` jobs that are inactive, unchanged since before ``before``, and have no executions.

        Return how many. The work of a call is bounded: the next one goes on where it stopped, and begins anew after the
        last job. So 0 means that there may be more, unless few jobs are stored.
        """

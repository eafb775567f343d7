from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from cronhook_core.backends.sql import engine_reads
from cronhook_core.backends.sql.job_catalog import SqlJobCatalog
from cronhook_core.backends.sql.pruned_jobs import PrunedJobs
from cronhook_core.backends.sql.tables import BELIEVED_CLOCK, ZONE_RULES
from cronhook_core.backends.sqlite import upkeep, watching
from cronhook_core.backends.sqlite.claiming import claim
from cronhook_core.backends.sqlite.database import SqliteDatabase
from cronhook_core.backends.sqlite.planning import plan, remember, reschedule
from cronhook_core.backends.sqlite.results import finish, interrupt, lose, release
from cronhook_core.domain.claim import MAX_CLAIM_BYTES, AttemptReport, Claim, ClaimRef, Verdict
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.domain.planning import DueJob, JobPlan, Rescheduling
from cronhook_core.domain.worker_life import WorkerBeat
from cronhook_core.errors import StoreUnavailable

PING_SECONDS = 2.0


class SqliteJobStore(SqlJobCatalog):
    """The `JobStore` in a SQLite file."""

    _database: SqliteDatabase

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)
        self._pruned_jobs = PrunedJobs(database)

    async def due_jobs(self, now: datetime, limit: int, *, after: DueJob | None = None) -> Sequence[DueJob]:
        return await self._database.read_first(engine_reads.due_jobs, now, limit, after)

    async def plan(self, plans: Sequence[JobPlan], now: datetime, *, wait: bool = False) -> Sequence[str]:
        """A transaction holds the whole file, so that there is nothing to skip."""
        return await self._database.write_first(plan, plans, now) if plans else []

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
        return await self._database.look(watching.ready, now, limit, skip_hosts, skip_workspaces, with_suspects, after)

    async def next_due(self, now: datetime) -> datetime | None:
        return await self._database.look(watching.next_due, now)

    async def zone_rules(self) -> str | None:
        return await self._database.read_first(engine_reads.zone_rules)

    async def remember_zone_rules(self, version: str) -> None:
        await self._database.write_first(remember, ZONE_RULES, version)

    async def upcoming_jobs(self, beyond: datetime, limit: int, *, after: DueJob | None = None) -> Sequence[DueJob]:
        return await self._database.read(engine_reads.upcoming_jobs, beyond, limit, after)

    async def reschedule(self, moves: Sequence[Rescheduling]) -> int:
        return await self._database.write_first(reschedule, moves) if moves else 0

    async def claim(
        self,
        execution_ids: Sequence[str],
        *,
        worker_id: str,
        now: datetime,
        with_suspect: bool = True,
        max_bytes: int = MAX_CLAIM_BYTES,
    ) -> Sequence[Claim]:
        if not execution_ids:
            return []
        return await self._database.write_first(claim, execution_ids, worker_id, now, with_suspect, max_bytes)

    async def finish(self, reports: Sequence[AttemptReport], now: datetime) -> Sequence[Verdict]:
        return await self._database.write_first(finish, reports, now) if reports else []

    async def release(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        return await self._database.write_first(release, refs, now) if refs else []

    async def interrupt(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        return await self._database.write_first(interrupt, refs, now) if refs else []

    async def lose(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        return await self._database.write_first(lose, refs, now) if refs else []

    async def running(self, worker_id: str) -> Sequence[ClaimRef]:
        return await self._database.look(watching.running, worker_id)

    async def register_worker(self, worker_id: str, now: datetime) -> None:
        await self._database.write_first(upkeep.register_worker, worker_id, now)

    async def beat(self, worker_id: str, now: datetime) -> bool:
        return await self._database.note(watching.beat, worker_id, now)

    async def worker_beats(self) -> Sequence[WorkerBeat]:
        return await self._database.note(watching.worker_beats)

    async def bury_worker(self, worker_id: str, beat: int, now: datetime) -> bool:
        return await self._database.write_first(upkeep.bury_worker, worker_id, beat, now)

    async def lose_abandoned(self, now: datetime, limit: int) -> Sequence[Verdict]:
        return await self.lose(await self._database.look(watching.abandoned, limit), now)

    async def retire_worker(self, worker_id: str) -> None:
        await self._database.write_first(upkeep.retire_worker, worker_id)

    async def ping(self) -> None:
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._database.read_first(upkeep.ping)
                await self._database.write_first(upkeep.ping_writing)
        except TimeoutError:
            raise StoreUnavailable(f"the SQLite file did not answer within {PING_SECONDS:g} s") from None

    async def believed_clock(self) -> datetime | None:
        return await self._database.read(engine_reads.believed_clock)

    async def remember_clock(self, now: datetime) -> None:
        await self._database.write(remember, BELIEVED_CLOCK, now.isoformat())

    async def prune(self, before: datetime, limit: int, *, now: datetime) -> int:
        old = await self._database.read(upkeep.prunable, before, limit)
        return await self._database.write_first(upkeep.prune, old, before, now)

    async def prune_jobs(self, before: datetime, limit: int) -> int:
        return await self._pruned_jobs.prune(before, limit)

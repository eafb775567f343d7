from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cronhook_core.backends.postgres import workers
from cronhook_core.backends.postgres.answered import Answers
from cronhook_core.backends.postgres.claiming import CLAIM, claim_parameters, claims_from
from cronhook_core.backends.postgres.creating import Kept, NewJobs
from cronhook_core.backends.postgres.database import PostgresDatabase
from cronhook_core.backends.postgres.failures import MAY_WRITE
from cronhook_core.backends.postgres.finishing import finish_transactions, says_gone
from cronhook_core.backends.postgres.handing_back import INTERRUPT, LOSE, LOSE_ABANDONED, RELEASE, ref_parameters
from cronhook_core.backends.postgres.planning import (
    DUE_JOBS,
    PLAN,
    PLAN_SKIPPING,
    PLAN_WAITING,
    due_job_from,
    due_parameters,
    plan_parameters,
)
from cronhook_core.backends.postgres.pruning import Pruning
from cronhook_core.backends.postgres.ready import NEXT_DUE, READY, ready_message, ready_parameters
from cronhook_core.backends.postgres.rescheduling import REMEMBER, RESCHEDULE, rescheduling_parameters
from cronhook_core.backends.postgres.showing import ShownJobs
from cronhook_core.backends.postgres.verdicts import verdict_from, verdicts_on
from cronhook_core.backends.sql import engine_reads
from cronhook_core.backends.sql.job_catalog import SqlJobCatalog
from cronhook_core.backends.sql.pruned_jobs import PrunedJobs
from cronhook_core.backends.sql.tables import BELIEVED_CLOCK, ZONE_RULES
from cronhook_core.domain.claim import MAX_CLAIM_BYTES, AttemptReport, Claim, ClaimRef, Verdict
from cronhook_core.domain.execution import QueueMessage
from cronhook_core.domain.idempotency import IdempotentRequest
from cronhook_core.domain.job import Job
from cronhook_core.domain.planning import DueJob, JobPlan, Rescheduling
from cronhook_core.domain.worker_life import WorkerBeat
from cronhook_core.errors import StoreBusy

PING_WITHIN = 1.75
PING = f"SELECT {MAY_WRITE}"


class PostgresJobStore(SqlJobCatalog):
    """The `JobStore` in a Postgres database.

    Every transition is one statement, committed by itself; of a group of results, the successes and the failures are.
    """

    _database: PostgresDatabase

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database)
        self._pruning = Pruning(database)
        self._pruned_jobs = PrunedJobs(database)
        self._shown = ShownJobs(database)
        self._new = NewJobs(database)
        self._answers = Answers(database)

    async def refuse_repeat(self, workspace_id: str, request: IdempotentRequest, *, now: datetime) -> None:
        await self._answers.refuse_repeat(workspace_id, request, now)

    async def create_job(
        self,
        job: Job,
        *,
        max_jobs: int | None,
        max_stored_bytes: int | None = None,
        now: datetime,
        idempotency: IdempotentRequest | None = None,
    ) -> None:
        kept = None if idempotency is None else await self._kept(job, idempotency, now)

        async def create() -> None:
            await self._new.add(job, max_jobs=max_jobs, max_stored_bytes=max_stored_bytes, now=now, kept=kept)

        await self._with_exact_bytes(job.workspace_id, create, now)

    async def _kept(self, job: Job, request: IdempotentRequest, now: datetime) -> Kept:
        """A repeat needs no answer of its own: it is refused also where none can be rendered."""
        try:
            return Kept(request=request, answer=request.answer(job))
        except Exception:  # whatever it is, it is raised again where this is no repeat
            await self.refuse_repeat(job.workspace_id, request, now=now)
            raise

    async def get_job(self, workspace_id: str, job_id: str) -> Job | None:
        return await self._shown.get(workspace_id, job_id)

    async def due_jobs(self, now: datetime, limit: int, *, after: DueJob | None = None) -> Sequence[DueJob]:
        rows = await self._database.execute(DUE_JOBS, due_parameters(now, limit, after))
        return [due_job_from(row) for row in rows]

    async def plan(self, plans: Sequence[JobPlan], now: datetime, *, wait: bool = False) -> Sequence[str]:
        if not plans:
            return []
        of_job: dict[str, JobPlan] = {}
        for plan in plans:  # of two plans for one job the first applies
            of_job.setdefault(plan.job_id, plan)
        parameters = plan_parameters(list(of_job.values()), now)
        try:
            rows = await self._database.execute(PLAN_WAITING if wait else PLAN, parameters)
        except StoreBusy:
            if wait:
                raise
            rows = await self._database.execute(PLAN_SKIPPING, parameters)
        queued = {execution_id for (execution_id,) in rows}
        executions = [plan.execution for plan in of_job.values()]
        return [execution.id for execution in executions if execution and execution.id in queued]

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
        parameters = ready_parameters(now, limit, skip_hosts, skip_workspaces, with_suspects, after)
        return [ready_message(row) for row in await self._database.execute(READY, parameters)]

    async def next_due(self, now: datetime) -> datetime | None:
        instant: datetime | None
        [(instant,)] = await self._database.execute(NEXT_DUE, [now])
        return instant and instant.astimezone(UTC)

    async def zone_rules(self) -> str | None:
        return await self._database.read(engine_reads.zone_rules)

    async def remember_zone_rules(self, version: str) -> None:
        await self._database.execute(REMEMBER, [ZONE_RULES, version])

    async def upcoming_jobs(self, beyond: datetime, limit: int, *, after: DueJob | None = None) -> Sequence[DueJob]:
        return await self._database.read(engine_reads.upcoming_jobs, beyond, limit, after)

    async def reschedule(self, moves: Sequence[Rescheduling]) -> int:
        return len(await self._database.execute(RESCHEDULE, rescheduling_parameters(moves))) if moves else 0

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
        parameters = claim_parameters(execution_ids, worker_id, now, with_suspect, max_bytes)
        return claims_from(await self._database.execute(CLAIM, parameters), execution_ids)

    async def finish(self, reports: Sequence[AttemptReport], now: datetime) -> Sequence[Verdict]:
        if not reports:
            return []
        order = sorted(range(len(reports)), key=lambda index: not says_gone(reports[index]))
        in_order = [reports[index] for index in order]
        different = {(report.execution_id, report.attempt_no): report for report in reversed(in_order)}
        rows = []
        for statements in finish_transactions(list(different.values()), now):
            rows += await self._database.execute_all(statements)
        verdicts = dict(zip(order, verdicts_on(in_order, rows), strict=True))
        return [verdicts[index] for index in range(len(reports))]

    async def release(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        return await self._hand_back(RELEASE, refs, now)

    async def interrupt(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        return await self._hand_back(INTERRUPT, refs, now)

    async def lose(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        return await self._hand_back(LOSE, refs, now)

    async def running(self, worker_id: str) -> Sequence[ClaimRef]:
        rows = await self._database.execute(workers.RUNNING, [worker_id])
        return [ClaimRef(execution_id=execution_id, attempt_no=attempt_no) for execution_id, attempt_no in rows]

    async def register_worker(self, worker_id: str, now: datetime) -> None:
        await self._database.execute(workers.REGISTER, [worker_id, now])

    async def beat(self, worker_id: str, now: datetime) -> bool:
        return bool(await self._database.execute(workers.BEAT, [worker_id, now]))

    async def worker_beats(self) -> Sequence[WorkerBeat]:
        rows = await self._database.execute(workers.BEATS)
        return [WorkerBeat(worker_id=worker_id, beat=beat) for worker_id, beat in rows]

    async def bury_worker(self, worker_id: str, beat: int, now: datetime) -> bool:
        return bool(await self._database.execute(workers.BURY, [worker_id, beat, now]))

    async def lose_abandoned(self, now: datetime, limit: int) -> Sequence[Verdict]:
        rows = await self._database.execute(LOSE_ABANDONED, [now, limit])
        return [verdict for verdict in map(verdict_from, rows) if verdict.accepted]

    async def retire_worker(self, worker_id: str) -> None:
        await self._database.execute(workers.RETIRE, [worker_id])

    async def ping(self) -> None:
        await self._database.execute(PING, answer_within=PING_WITHIN)

    async def believed_clock(self) -> datetime | None:
        return await self._database.read(engine_reads.believed_clock)

    async def remember_clock(self, now: datetime) -> None:
        await self._database.execute(REMEMBER, [BELIEVED_CLOCK, now.isoformat()])

    async def prune(self, before: datetime, limit: int, *, now: datetime) -> int:
        return await self._pruning.prune(before, limit, now)

    async def prune_jobs(self, before: datetime, limit: int) -> int:
        return await self._pruned_jobs.prune(before, limit)

    async def _hand_back(self, statement: str, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        if not refs:
            return []
        rows = await self._database.execute(statement, [now, *ref_parameters(list(dict.fromkeys(refs)))])
        return verdicts_on(refs, rows)

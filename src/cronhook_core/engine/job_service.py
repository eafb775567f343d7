"""What users do with jobs and executions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from urllib.parse import urlsplit

from attrs import evolve

from cronhook_core.domain.callback_headers import check_headers
from cronhook_core.domain.execution import Attempt, Execution, ExecutionStatus, QueueMessage, Trigger
from cronhook_core.domain.idempotency import IdempotentRequest
from cronhook_core.domain.ids import new_id
from cronhook_core.domain.job import Job, JobDefinition, JobStatus
from cronhook_core.domain.job_changes import deleted, first_run, passes_over_what_is_due, paused, redefined, resumed
from cronhook_core.domain.planning import DueJob
from cronhook_core.domain.queue_bounds import QueueBounds
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.engine.planner import plan_job
from cronhook_core.engine.secret_headers import sealed
from cronhook_core.errors import Conflict, NotFound, QueueUnavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks, NoHooks
from cronhook_core.ports.header_vault import HeaderVault
from cronhook_core.ports.job_catalog import COUNTED_UP_TO, CancelQueued, JobFilter
from cronhook_core.ports.job_store import JobStore
from cronhook_core.ports.queue import Queue

ANNOUNCED_WITHIN = timedelta(seconds=2)
"""A planner sleeps at most a second, so only what is due sooner than this has to wake it."""
TRIES = 20
"""A change that met this many others of the same job in a row is refused."""


class JobService:
    """Stores, changes and reads jobs of a workspace; what is asked for must belong to it.

    ``targets`` judges callback URLs; None accepts any, for programs that bring their own sender. ``max_jobs`` is the
    quota of workspaces without their own, ``max_stored_bytes`` that of all (None: no limit). ``bounds`` bound runs and
    replays (None: as `QueueBounds` do by default). ``vault`` seals secret headers: what is read of a job has their
    sealed values; None stores them as they are. ``hooks`` hear of what a change plans. Errors: those of
    `cronhook_core.errors`.
    """

    def __init__(
        self,
        store: JobStore,
        queue: Queue,
        *,
        clock: Clock,
        random: Random,
        targets: TargetPolicy | None,
        max_jobs: int | None = None,
        max_stored_bytes: int | None = None,
        bounds: QueueBounds | None = None,
        vault: HeaderVault | None = None,
        hooks: EngineHooks | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._random = random
        self._targets = targets
        self._max_jobs = max_jobs
        self._bounds = bounds or QueueBounds()
        self._max_stored_bytes = max_stored_bytes
        self._vault = vault
        self._hooks = hooks or NoHooks()

    def check_target(self, url: str) -> None:
        """Raise `InvalidCallbackUrl` or one of its kinds for a URL that may not be called."""
        if self._targets is not None:
            self._targets.check_url(url)

    async def refuse_repeat(self, workspace_id: str, request: IdempotentRequest | None) -> None:
        """Raise `AlreadyAnswered` or `IdempotencyMismatch` for a repeat, before anything else is judged."""
        if request is not None:
            await self._store.refuse_repeat(workspace_id, request, now=self._clock.now())

    async def create(
        self, workspace_id: str, definition: JobDefinition, *, idempotency: IdempotentRequest | None = None
    ) -> Job:
        """Store a new job and plan its first run."""
        now = self._clock.now()
        job_id = new_id("job", now, self._random)
        definition, host = self._checked(job_id, definition)
        job = Job(
            id=job_id,
            workspace_id=workspace_id,
            definition=definition,
            host=host,
            status=JobStatus.ACTIVE,
            next_run=first_run(definition.schedule, now),
            created_at=now,
            updated_at=now,
        )
        await self._store.create_job(
            job,
            max_jobs=self._max_jobs,
            max_stored_bytes=self._max_stored_bytes,
            now=now,
            idempotency=idempotency,
        )
        await self._announce(job.next_run, now)
        return job

    async def get(self, workspace_id: str, job_id: str) -> Job:
        job = await self._store.get_job(workspace_id, job_id)
        if job is None:
            raise NotFound("job", job_id)
        return job

    async def list(
        self,
        workspace_id: str,
        matching: JobFilter | None = None,
        *,
        limit: int,
        before_id: str | None = None,
        with_payload: bool = True,
        max_bytes: int | None = None,
    ) -> Sequence[Job]:
        """As `JobCatalog.list_jobs`."""
        return await self._store.list_jobs(
            workspace_id,
            matching or JobFilter(),
            limit=limit,
            before_id=before_id,
            with_payload=with_payload,
            max_bytes=max_bytes,
        )

    async def update(
        self,
        workspace_id: str,
        job_id: str,
        change: Callable[[JobDefinition], JobDefinition],
        *,
        anew: bool = False,
        idempotency: IdempotentRequest | None = None,
    ) -> Job:
        """Redefine a job. ``change`` may be called more than once.

        Another schedule plans the job anew from now on; what of the former line was due by then runs all the same.
        ``anew``: an inactive job becomes active also with the line that it has.
        """

        def step(job: Job, now: datetime) -> Job:
            definition = change(job.definition)
            checked, host = self._checked(job.id, definition, stored_headers=job.definition.headers)
            return redefined(job, checked, host, now, anew=anew)

        return await self._change(workspace_id, job_id, step, idempotency=idempotency)

    async def pause(self, workspace_id: str, job_id: str, *, idempotency: IdempotentRequest | None = None) -> Job:
        """Stop planning and cancel what is queued; a paused job stays as it is, an inactive one: `Conflict`.

        What was due by then and not planned is planned first, to be seen among what was cancelled, unless that would
        end the job.
        """
        cancel = CancelQueued(reason="paused", manual_too=False)
        return await self._change(workspace_id, job_id, paused, cancel=cancel, idempotency=idempotency)

    async def resume(self, workspace_id: str, job_id: str, *, idempotency: IdempotentRequest | None = None) -> Job:
        """Plan again from now on, never the past; an inactive job: `Conflict`."""
        return await self._change(workspace_id, job_id, resumed, idempotency=idempotency)

    async def delete(self, workspace_id: str, job_id: str) -> None:
        """The job never triggers again. `NotFound` when it already was deleted."""
        cancel = CancelQueued(reason="deleted", manual_too=True)
        await self._change(workspace_id, job_id, deleted, cancel=cancel)

    async def run(self, workspace_id: str, job_id: str, *, idempotency: IdempotentRequest | None = None) -> Execution:
        """Queue one execution now, also while the job is paused or inactive; its schedule is as before.

        `QuotaExceeded` when too many are queued that have not ended.
        """
        return await self._queue_now(await self.get(workspace_id, job_id), Trigger.MANUAL, idempotency)

    async def replay(
        self, workspace_id: str, execution_id: str, *, idempotency: IdempotentRequest | None = None
    ) -> Execution:
        """Queue a new execution of an ended one's job, as that job stands today."""
        execution = await self.execution(workspace_id, execution_id)
        if not execution.status.is_final:
            raise Conflict(f"the execution is {execution.status}; only an ended one can be replayed")
        return await self._queue_now(await self.get(workspace_id, execution.job_id), Trigger.REPLAY, idempotency)

    async def cancel_execution(
        self, workspace_id: str, execution_id: str, *, idempotency: IdempotentRequest | None = None
    ) -> Execution:
        """Cancel a queued execution; a running or final one: `Conflict`."""
        now = self._clock.now()
        cancelled = await self._store.cancel_execution(workspace_id, execution_id, now=now, idempotency=idempotency)
        if cancelled is not None:
            return cancelled
        execution = await self.execution(workspace_id, execution_id)
        raise Conflict(f"the execution is {execution.status}; only a queued one can be cancelled")

    async def execution(self, workspace_id: str, execution_id: str) -> Execution:
        execution = await self._store.get_execution(workspace_id, execution_id)
        if execution is None:
            raise NotFound("execution", execution_id)
        return execution

    async def executions(
        self,
        workspace_id: str,
        job_id: str,
        *,
        status: ExecutionStatus | None = None,
        limit: int,
        before_id: str | None = None,
    ) -> Sequence[Execution]:
        await self.get(workspace_id, job_id)
        return await self._store.list_executions(workspace_id, job_id, status=status, limit=limit, before_id=before_id)

    async def logs(
        self,
        workspace_id: str,
        job_id: str,
        *,
        status: str | None = None,
        oldest_first: bool = False,
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[Sequence[Attempt], int | None]:
        """A page of a job's attempts, and how many there are in all; None: more than `COUNTED_UP_TO`."""
        await self.get(workspace_id, job_id)
        return await self._store.list_attempts(
            workspace_id,
            job_id,
            status=status,
            oldest_first=oldest_first,
            offset=offset,
            limit=limit,
            count_up_to=COUNTED_UP_TO,
        )

    async def count(self, workspace_id: str) -> int:
        """How many jobs count against the quota."""
        return await self._store.count_jobs(workspace_id)

    async def count_queued(self, workspace_id: str) -> int:
        """How many executions that runs and replays queued have not ended."""
        return await self._store.count_queued(workspace_id)

    async def stored_bytes(self, workspace_id: str) -> int:
        """How many stored bytes count against the quota; what was removed after the retention may be among them."""
        return await self._store.stored_bytes(workspace_id)

    async def attempts(self, workspace_id: str, execution_id: str) -> Sequence[Attempt]:
        return await self._store.attempts_of(workspace_id, execution_id)

    async def _change(
        self,
        workspace_id: str,
        job_id: str,
        step: Callable[[Job, datetime], Job],
        *,
        cancel: CancelQueued | None = None,
        idempotency: IdempotentRequest | None = None,
    ) -> Job:
        for _ in range(TRIES):
            before = await self.get(workspace_id, job_id)
            now = self._clock.now()
            after = step(before, now)
            if after is before and idempotency is None:
                return before
            if passes_over_what_is_due(before, after, now) and await self._plan(
                before, now, pausing=after.status is JobStatus.PAUSED
            ):
                continue
            changed = await self._store.change_job(
                after,
                expected=before,
                cancel=cancel,
                max_jobs=self._max_jobs,
                max_stored_bytes=self._max_stored_bytes,
                now=now,
                idempotency=idempotency,
            )
            if changed:
                await self._announce(after.next_run, now)
                return after
        raise Conflict("the job was changed by others again and again; try once more")

    async def _plan(self, job: Job, now: datetime, *, pausing: bool) -> bool:
        """What is due of it, as a scheduler does; one that is at it as well does no harm. Whether it was for us to do.

        Workers are not told of what is about to be cancelled.
        """
        plan = plan_job(DueJob.of(job), now)
        if pausing and plan.inactive_reason is not None:
            return False
        queued = await self._store.plan([plan], now, wait=True)
        if queued and plan.execution is not None:
            self._hooks.execution_planned(plan, now)
            if not pausing:
                await self._tell(plan.execution, now)
        return True

    async def _queue_now(self, job: Job, trigger: Trigger, idempotency: IdempotentRequest | None) -> Execution:
        now = self._clock.now()
        execution = Execution(
            id=new_id("exe", now, self._random),
            job_id=job.id,
            workspace_id=job.workspace_id,
            host=job.host,
            trigger=trigger,
            scheduled_for=now,
            available_at=now,
            created_at=now,
        )
        await self._store.add_execution(execution, now=now, bounds=self._bounds, idempotency=idempotency)
        await self._tell(execution, now)
        return execution

    async def _tell(self, execution: Execution, now: datetime) -> None:
        with suppress(QueueUnavailable):  # it is stored: workers find it without the message
            await self._queue.push([QueueMessage.of(execution)], now)

    async def _announce(self, due_at: datetime | None, now: datetime) -> None:
        if due_at is None or due_at > now + ANNOUNCED_WITHIN:
            return
        with suppress(QueueUnavailable):  # it is stored: planners look again within a second
            await self._queue.announce(due_at)

    def _checked(
        self, job_id: str, definition: JobDefinition, *, stored_headers: Sequence[tuple[str, str]] = ()
    ) -> tuple[JobDefinition, str]:
        headers = check_headers(dict(definition.headers), stored_headers)
        checked = evolve(definition, headers=sealed(headers, self._vault, job_id))
        if self._targets is None:
            return checked, urlsplit(definition.callback_url).hostname or definition.callback_url
        target = self._targets.check_url(definition.callback_url)
        return evolve(checked, callback_url=target.url), target.host

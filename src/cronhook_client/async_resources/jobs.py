"""Jobs, for coroutines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cronhook_client import _calls
from cronhook_client.async_resources.resource import AsyncResource
from cronhook_client.not_given import NOT_GIVEN, NotGiven
from cronhook_client.pages import AsyncPages, after_cursor
from cronhook_client.words import IncludeWord, JobStatusWord
from cronhook_core.wire.v1 import ExecutionRead, JobPage, JobRead


class AsyncJobs(AsyncResource):
    """What is stored to be called: each with a schedule, a target and a retry policy."""

    async def create(
        self,
        *,
        name: str,
        callback_url: str,
        cron: str | None = None,
        run_at: datetime | None = None,
        timezone: str | None = None,
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        retry_delays_seconds: Sequence[float] | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> JobRead:
        """Store a job: exactly one of ``cron`` and ``run_at`` says when it runs.

        Args:
            name: For people, 1 to 200 characters; need not be unique.
            callback_url: Where to POST to, http or https.
            cron: Five fields such as ``"30 2 * * 1-5"``, or ``@daily`` and the like.
            run_at: One instant, aware of its offset: at most 60 s past (then it runs at once) and 10 years ahead.
            timezone: In which ``cron`` is meant: an IANA name such as ``"Europe/Berlin"``. None: UTC.
            payload: The body of the POST: any JSON value, at most 256 KiB. None: JSON ``null``.
            headers: Sent with every POST, at most 32. Secret ones are read back as ``"***"``.
            timeout_seconds: 1 to 60, for one attempt as a whole. None: the server's default, 10.
            retry_delays_seconds: The pause after each failed attempt, up to 20 of 1 s to 24 h; ``[]``: no retries.
                None: 30 s, 2 min, 10 min.
            tags: To find it by, see `list`.
            metadata: Texts of your own that are kept with it.
            idempotency_key: The same key within 24 h gives the same answer and no second job. None: one is made for
                this call, and sent with each of its tries.

        Raises:
            BadRequest: Something is not valid; its ``errors`` name each field and the reason.
            QuotaExceeded: The workspace has its maximum of jobs, of stored bytes or of idempotency keys in a day.
        """
        call = _calls.create_job(
            name=name,
            callback_url=callback_url,
            cron=cron,
            run_at=run_at,
            timezone=timezone,
            payload=payload,
            headers=headers,
            timeout_seconds=timeout_seconds,
            retry_delays_seconds=retry_delays_seconds,
            tags=tags,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )
        return await self._send(call)

    def list(
        self,
        *,
        status: JobStatusWord | None = None,
        tag: str | None = None,
        q: str | None = None,
        include: IncludeWord | None = None,
        limit: int | None = None,
    ) -> AsyncPages[JobRead, JobPage]:
        """All jobs that match, the newest first, to be iterated over.

        Args:
            status: Only those with this status.
            tag: Only those with this tag.
            q: Only those whose name contains this text. Case is ignored in ASCII letters only: ``"É"`` is not ``"é"``.
            include: ``"payload"``: with their payloads. None: each ``payload`` is `models.NOT_INCLUDED`; see `get`.
            limit: How many to ask for at once, 1 to 200; None: 50. Iterating goes on to the last one in any case.
        """
        call = _calls.list_jobs(status=status, tag=tag, q=q, include=include, limit=limit, cursor=None)
        return AsyncPages(self._send, call, after_cursor)

    async def page(
        self,
        *,
        status: JobStatusWord | None = None,
        tag: str | None = None,
        q: str | None = None,
        include: IncludeWord | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JobPage:
        """One page of `list`. ``cursor``: the ``next_cursor`` of the page before; None: the first page."""
        call = _calls.list_jobs(status=status, tag=tag, q=q, include=include, limit=limit, cursor=cursor)
        return await self._send(call)

    async def get(self, job_id: str) -> JobRead:
        """Raises `NotFound` for a job that does not exist, or no more."""
        return await self._send(_calls.get_job(job_id))

    async def update(
        self,
        job_id: str,
        *,
        name: str | NotGiven = NOT_GIVEN,
        callback_url: str | NotGiven = NOT_GIVEN,
        cron: str | NotGiven | None = NOT_GIVEN,
        run_at: datetime | NotGiven | None = NOT_GIVEN,
        timezone: str | NotGiven | None = NOT_GIVEN,
        payload: Any = NOT_GIVEN,
        headers: Mapping[str, str] | NotGiven = NOT_GIVEN,
        timeout_seconds: float | NotGiven | None = NOT_GIVEN,
        retry_delays_seconds: Sequence[float] | NotGiven = NOT_GIVEN,
        tags: Sequence[str] | NotGiven = NOT_GIVEN,
        metadata: Mapping[str, str] | NotGiven = NOT_GIVEN,
    ) -> JobRead:
        """Change what is given and keep the rest; lists and mappings are replaced whole.

        Args:
            job_id: Which job.
            name: As in `create`, like all below.
            callback_url: Attempts under way still go to the old one.
            cron: Takes the place of ``run_at``, where the job has one; a new schedule makes an inactive job active.
            run_at: Takes the place of ``cron`` and ``timezone``.
            timezone: None: UTC.
            payload: None is a value here: JSON ``null``.
            headers: A value ``"***"`` keeps the stored one.
            timeout_seconds: None: the server's default.
            retry_delays_seconds: Executions under way go by it from their next failure on.
            tags: ``[]`` takes all away.
            metadata: ``{}`` takes all away.

        Raises:
            BadRequest: Something is not valid; nothing was changed.
            NotFound: There is no such job.
            QuotaExceeded: It would become active again, and the workspace has its maximum of jobs.
        """
        call = _calls.update_job(
            job_id,
            name=name,
            callback_url=callback_url,
            cron=cron,
            run_at=run_at,
            timezone=timezone,
            payload=payload,
            headers=headers,
            timeout_seconds=timeout_seconds,
            retry_delays_seconds=retry_delays_seconds,
            tags=tags,
            metadata=metadata,
        )
        return await self._send(call)

    async def delete(self, job_id: str) -> None:
        """The job never triggers again, and its queued executions are cancelled.

        Raises `NotFound` where there is no such job, or no more.
        """
        return await self._send(_calls.delete_job(job_id))

    async def pause(self, job_id: str, *, idempotency_key: str | None = None) -> JobRead:
        """Stop it until `resume`: what its schedule has queued is cancelled. A paused job stays as it is.

        Raises `Conflict` for an inactive job.
        """
        return await self._send(_calls.pause_job(job_id, idempotency_key=idempotency_key))

    async def resume(self, job_id: str, *, idempotency_key: str | None = None) -> JobRead:
        """Go on from now: what would have run meanwhile is not made up for. An active job stays as it is.

        Raises `Conflict` for an inactive job: name its schedule, or another one, with `update`.
        """
        return await self._send(_calls.resume_job(job_id, idempotency_key=idempotency_key))

    async def run(self, job_id: str, *, idempotency_key: str | None = None) -> ExecutionRead:
        """Call it now, once, beside its schedule, also while it is paused: the execution that was queued.

        Raises `QuotaExceeded` where too many are queued that have not ended.
        """
        return await self._send(_calls.run_job(job_id, idempotency_key=idempotency_key))

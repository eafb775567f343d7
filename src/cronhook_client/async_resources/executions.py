"""Executions, for coroutines."""

from __future__ import annotations

from cronhook_client import _calls
from cronhook_client.async_resources.resource import AsyncResource
from cronhook_client.pages import AsyncPages, after_cursor
from cronhook_client.words import ExecutionStatusWord
from cronhook_core.wire.v1 import ExecutionDetail, ExecutionPage, ExecutionRead


class AsyncExecutions(AsyncResource):
    """Occurrences of jobs: one for each scheduled instant, each manual run and each replay."""

    def list(
        self, job_id: str, *, status: ExecutionStatusWord | None = None, limit: int | None = None
    ) -> AsyncPages[ExecutionRead, ExecutionPage]:
        """All executions of a job, the newest first, to be iterated over.

        Args:
            job_id: Of which job; `NotFound` where there is no such job.
            status: Only those with this status.
            limit: How many to ask for at once, 1 to 200; None: 50. Iterating goes on to the last one in any case.
        """
        call = _calls.list_executions(job_id, status=status, limit=limit, cursor=None)
        return AsyncPages(self._send, call, after_cursor)

    async def page(
        self,
        job_id: str,
        *,
        status: ExecutionStatusWord | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> ExecutionPage:
        """One page of `list`. ``cursor``: the ``next_cursor`` of the page before; None: the first page."""
        return await self._send(_calls.list_executions(job_id, status=status, limit=limit, cursor=cursor))

    async def get(self, execution_id: str) -> ExecutionDetail:
        """One execution with its attempts, ``logs``, the first one first."""
        return await self._send(_calls.get_execution(execution_id))

    async def cancel(self, execution_id: str, *, idempotency_key: str | None = None) -> ExecutionRead:
        """Cancel what is still queued, retries included. Raises `Conflict` where it is running or has ended."""
        return await self._send(_calls.cancel_execution(execution_id, idempotency_key=idempotency_key))

    async def replay(self, execution_id: str, *, idempotency_key: str | None = None) -> ExecutionRead:
        """Do it once more, as its job stands today: a new execution.

        Raises `Conflict` before the old one has ended, and `QuotaExceeded` where too many are queued that have not.
        """
        return await self._send(_calls.replay_execution(execution_id, idempotency_key=idempotency_key))

"""Logs."""

from __future__ import annotations

from cronhook_client import _calls
from cronhook_client.pages import LogPages, after_offset
from cronhook_client.resources.resource import Resource
from cronhook_client.words import LogStatusWord, OrderWord
from cronhook_core.wire.v1 import LogPage


class Logs(Resource):
    """What came of the requests that were made: one row for each attempt."""

    def list(
        self,
        job_id: str,
        *,
        status: LogStatusWord | None = None,
        order: OrderWord | None = None,
        limit: int | None = None,
    ) -> LogPages:
        """All rows of a log, to be iterated over. Beyond 10 000 the API refuses (`BadRequest`): go by executions there.

        Args:
            job_id: Of which job; `NotFound` where there is no such job.
            status: Only attempts that ended so.
            order: ``"asc"``: the oldest first. None: the newest first.
            limit: How many to ask for at once, 1 to 200; None: 50. Iterating goes on to the last one in any case.
        """
        call = _calls.list_logs(job_id, status=status, order=order, offset=None, limit=limit)
        return LogPages(self._send, call, after_offset)

    def page(
        self,
        job_id: str,
        *,
        status: LogStatusWord | None = None,
        order: OrderWord | None = None,
        offset: int | None = None,
        limit: int | None = None,
    ) -> LogPage:
        """One page of `list`, with the ``total`` of rows, None beyond 10 000.

        ``offset``: how many rows to pass over, up to 10 000.
        """
        return self._send(_calls.list_logs(job_id, status=status, order=order, offset=offset, limit=limit))

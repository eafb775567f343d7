"""Schedules, for coroutines."""

from __future__ import annotations

from datetime import datetime

from cronhook_client import _calls
from cronhook_client.async_resources.resource import AsyncResource
from cronhook_core.wire.v1 import PreviewRead


class AsyncSchedules(AsyncResource):
    """What a schedule would do, before anything is stored."""

    async def preview(
        self,
        *,
        cron: str | None = None,
        timezone: str | None = None,
        run_at: datetime | None = None,
        after: datetime | None = None,
        count: int | None = None,
    ) -> PreviewRead:
        """The next instants, and what may surprise: a clock that jumps, two day fields, an uneven step.

        Args:
            cron: A cron line; or give ``run_at``.
            timezone: In which ``cron`` is meant. None: UTC.
            run_at: One instant, to learn whether a job may have it.
            after: The instants later than this one. None: than now.
            count: How many, 1 to 100. None: 10.

        Raises:
            BadRequest: No job could have this schedule; its ``errors`` say why.
        """
        call = _calls.preview(cron=cron, timezone=timezone, run_at=run_at, after=after, count=count)
        return await self._send(call)

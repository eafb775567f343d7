"""What a schedule would do, before anything is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from cronhook_core.domain.job_changes import first_run
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.domain.schedule_warnings import WarningCode, warnings_for
from cronhook_core.errors import InvalidRequest
from cronhook_core.wire.job import read_schedule

MAX_COUNT = 100
_LOOKED_AHEAD = timedelta(days=366)
"""A clock that jumps within a year is worth a warning, also where the instants shown end sooner."""


@frozen(kw_only=True)
class PreviewWrite:
    """``after`` goes with ``cron``; None: from now on."""

    cron: str | None = None
    run_at: datetime | None = None
    timezone: str | None = None
    after: datetime | None = None
    count: int = 10

    def schedule(self) -> Schedule:
        if not 1 <= self.count <= MAX_COUNT:
            raise InvalidRequest(f"is between 1 and {MAX_COUNT}", pointer="/count")
        if self.run_at is not None and self.after is not None:
            raise InvalidRequest("goes with cron only: run_at is one instant, whatever it is after", pointer="/after")
        return read_schedule(self.cron, self.run_at, self.timezone)


@frozen(kw_only=True)
class PreviewInstant:
    """``local`` is the same instant with the offset of the schedule's zone."""

    at: datetime
    local: str


@frozen(kw_only=True)
class PreviewWarning:
    code: WarningCode
    detail: str


@frozen(kw_only=True)
class PreviewRead:
    data: tuple[PreviewInstant, ...]
    warnings: tuple[PreviewWarning, ...]

    @classmethod
    def of(cls, schedule: Schedule, instants: Sequence[datetime], *, after: datetime) -> PreviewRead:
        """The ``instants`` of `previewed_instants`."""
        if isinstance(schedule, OneTimeSchedule):
            data = tuple(PreviewInstant(at=at, local=at.isoformat()) for at in instants)
            return cls(data=data, warnings=())
        return cls(data=tuple(_shown(schedule, at) for at in instants), warnings=_warnings(schedule, after, instants))


def previewed_instants(schedule: Schedule, *, after: datetime, count: int) -> Iterator[datetime]:
    """The first ``count`` instants later than ``after``; raises as creating the job at that instant would.

    One that lies many years behind the one before takes some milliseconds to be found.
    """
    if isinstance(schedule, OneTimeSchedule):
        first_run(schedule, after)
        yield schedule.run_at
    else:
        schedule.require_instant_after(after)
        yield from schedule.instants(after, count)


def _shown(schedule: CronSchedule, at: datetime) -> PreviewInstant:
    return PreviewInstant(at=at, local=schedule.local(at).isoformat())


def _warnings(schedule: CronSchedule, after: datetime, instants: Sequence[datetime]) -> tuple[PreviewWarning, ...]:
    until = max(instants[-1], after + _LOOKED_AHEAD)
    return tuple(PreviewWarning(code=w.code, detail=w.detail) for w in warnings_for(schedule, after, until))

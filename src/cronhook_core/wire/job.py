"""Jobs as they are written and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import field, frozen

from cronhook_core.domain.callback_headers import MASK, check_headers, headers_repr, is_secret_header, shown_headers
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import (
    DEFAULT_TIMEOUT,
    InactiveReason,
    Job,
    JobDefinition,
    JobStatus,
    check_name,
    check_payload,
    check_timeout,
)
from cronhook_core.domain.labels import check_metadata, check_tags
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.domain.time_zone import time_zone
from cronhook_core.errors import InvalidCron, InvalidHeaders, InvalidRequest, InvalidTimezone
from cronhook_core.wire.not_included import NOT_INCLUDED
from cronhook_core.wire.pointer import pointer_to
from cronhook_core.wire.refusal import gathered
from cronhook_core.wire.seconds import from_seconds, to_seconds
from cronhook_core.wire.strict_json import JsonText, render_json

DEFAULT_TIMEZONE = "UTC"
DEFAULT_RETRY_DELAYS_SECONDS = tuple(to_seconds(delay) for delay in RetryPolicy().delays)


@frozen(kw_only=True)
class JobWrite:
    """The body that creates a job. ``timeout_seconds`` None: the server's default. ``timezone`` goes with ``cron``."""

    name: str
    cron: str | None = None
    run_at: datetime | None = None
    timezone: str | None = None
    callback_url: str
    headers: Mapping[str, str] = field(factory=dict, repr=headers_repr)
    payload: Any = None
    timeout_seconds: float | None = None
    retry_delays_seconds: tuple[float, ...] = DEFAULT_RETRY_DELAYS_SECONDS
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(factory=dict)

    def to_definition(
        self,
        *,
        default_timeout: timedelta = DEFAULT_TIMEOUT,
        stored_headers: Sequence[tuple[str, str]] = (),
        stored_schedule: Schedule | None = None,
        check_target: Callable[[str], object] | None = None,
    ) -> JobDefinition:
        """The value that this body says; raises `InvalidRequest` or one of its kinds, with all problems of its parts.

        ``stored_headers`` are those of the job that it changes. ``stored_schedule`` is the one that it keeps, which is
        not read anew: what is stored keeps its meaning. Whether the schedule has an instant ahead, and the target may
        be called, is for `JobService` to say; where something else is wrong, ``check_target`` is asked here, so that
        all is said at once.
        """
        timeout = default_timeout
        with gathered() as attempt:
            attempt(check_name, self.name)
            schedule = stored_schedule or attempt(read_schedule, self.cron, self.run_at, self.timezone)
            headers = attempt(self._headers, stored_headers)
            retry_policy = attempt(self._retry_policy)
            tags = attempt(check_tags, self.tags)
            metadata = attempt(check_metadata, self.metadata)
            if self.timeout_seconds is not None:
                timeout = attempt(self._timeout, self.timeout_seconds)
            payload = attempt(check_payload, render_json(self.payload))
            if attempt.failed and check_target is not None:
                attempt(check_target, self.callback_url)
        return JobDefinition(
            name=self.name,
            schedule=schedule,
            callback_url=self.callback_url,
            headers=headers,
            payload=payload,
            timeout=timeout,
            retry_policy=retry_policy,
            tags=tags,
            metadata=metadata,
        )

    @classmethod
    def of(cls, definition: JobDefinition) -> JobWrite:
        """The body that says this value, with secret headers masked."""
        return cls(**_fields_of(definition))

    def _headers(self, stored: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        headers = check_headers(self.headers, stored)
        for name, value in headers:
            if value == MASK and is_secret_header(name):
                raise InvalidHeaders(
                    f"{MASK} stands for a value that is not shown: write the value itself",
                    pointer=pointer_to(("headers", name)),
                )
        return headers

    @staticmethod
    def _timeout(seconds: float) -> timedelta:
        return check_timeout(from_seconds(seconds, "/timeout_seconds"))

    def _retry_policy(self) -> RetryPolicy:
        delays = enumerate(self.retry_delays_seconds)
        return RetryPolicy(delays=tuple(from_seconds(delay, f"/retry_delays_seconds/{i}") for i, delay in delays))


@frozen(kw_only=True)
class JobRead:
    """A job as it is read. Values of secret headers are ``MASK``.

    ``payload`` is `NOT_INCLUDED` in lists that were not asked for payloads.
    """

    id: str
    name: str
    status: JobStatus
    inactive_reason: InactiveReason | None
    cron: str | None
    run_at: datetime | None
    timezone: str | None
    callback_url: str
    headers: Mapping[str, str]
    payload: Any = NOT_INCLUDED
    timeout_seconds: float
    retry_delays_seconds: tuple[float, ...]
    tags: tuple[str, ...]
    metadata: Mapping[str, str]
    next_run: datetime | None
    last_run: datetime | None
    last_run_status: ExecutionStatus | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, job: Job, *, with_payload: bool = True) -> JobRead:
        fields = _fields_of(job.definition)
        if not with_payload:
            fields["payload"] = NOT_INCLUDED
        return cls(
            id=job.id,
            status=job.status,
            inactive_reason=job.inactive_reason,
            next_run=job.next_run,
            last_run=job.last_run,
            last_run_status=job.last_run_status,
            created_at=job.created_at,
            updated_at=job.updated_at,
            **fields,
        )


def _fields_of(definition: JobDefinition) -> dict[str, Any]:
    """The fields that `JobWrite` and `JobRead` have in common."""
    schedule = definition.schedule
    cron = schedule if isinstance(schedule, CronSchedule) else None
    return {
        "name": definition.name,
        "cron": cron.expression if cron else None,
        "run_at": schedule.run_at if isinstance(schedule, OneTimeSchedule) else None,
        "timezone": cron.timezone if cron else None,
        "callback_url": definition.callback_url,
        "headers": shown_headers(definition.headers),
        "payload": JsonText(definition.payload),
        "timeout_seconds": to_seconds(definition.timeout),
        "retry_delays_seconds": tuple(map(to_seconds, definition.retry_policy.delays)),
        "tags": definition.tags,
        "metadata": definition.metadata,
    }


@frozen(kw_only=True)
class JobPage:
    """Newest first. ``next_cursor`` continues; None: this was the last page."""

    data: tuple[JobRead, ...]
    next_cursor: str | None


def read_schedule(cron: str | None, run_at: datetime | None, timezone: str | None) -> Schedule:
    """The schedule that these fields say; raises `InvalidRequest` or one of its kinds."""
    if cron is not None and run_at is None:
        zone = DEFAULT_TIMEZONE if timezone is None else timezone
        try:
            return CronSchedule(cron, zone)
        except InvalidCron:
            with gathered() as attempt:  # the zone may be wrong as well
                attempt(CronSchedule, cron, DEFAULT_TIMEZONE)
                attempt(time_zone, zone)
            raise
    if cron is not None or run_at is None:
        reason = "either cron or run_at is needed" + (", not both" if cron is not None else "")
        raise InvalidRequest(reason, problems=[("/cron", reason), ("/run_at", reason)])
    if timezone is not None:
        raise InvalidTimezone("a time zone goes with cron only: run_at has an offset of its own")
    return OneTimeSchedule(run_at)

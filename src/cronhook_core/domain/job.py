"""What the user stores: a schedule, a target, a retry policy, a status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from attrs import evolve, field, frozen

from cronhook_core.domain.callback_headers import headers_repr
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.instants import aware, aware_or_none
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.schedule import OneTimeSchedule, Schedule
from cronhook_core.errors import InvalidRequest

NULL_PAYLOAD = b"null"
"""The body of a job without a payload: JSON ``null``, so that there is always a body to sign."""
MAX_NAME_LENGTH = 200
MAX_PAYLOAD_BYTES = 256 * 1024
MIN_TIMEOUT = timedelta(seconds=1)
MAX_TIMEOUT = timedelta(seconds=60)
DEFAULT_TIMEOUT = timedelta(seconds=10)


class JobStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    INACTIVE = "inactive"


class InactiveReason(StrEnum):
    """Why a job is inactive."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    GONE = "gone"
    EXHAUSTED = "exhausted"
    MISSED = "missed"
    UNPLANNABLE = "unplannable"
    DELETED = "deleted"


def check_name(name: str) -> str:
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.strip():
        raise InvalidRequest(f"a name has 1 to {MAX_NAME_LENGTH} characters", pointer="/name")
    return name


def check_payload(payload: bytes) -> bytes:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise InvalidRequest(
            f"the payload is {len(payload)} bytes of JSON, at most {MAX_PAYLOAD_BYTES} are allowed",
            pointer="/payload",
        )
    return payload


def check_timeout(timeout: timedelta) -> timedelta:
    if not MIN_TIMEOUT <= timeout <= MAX_TIMEOUT:
        raise InvalidRequest("a timeout is between 1 and 60 seconds", pointer="/timeout_seconds")
    return timeout


def _by(check: Callable[[Any], object]) -> Callable[[object, object, Any], None]:
    """The check of a value as a validator of attrs."""

    def validate(_: object, __: object, value: Any) -> None:
        check(value)

    return validate


def _pairs(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(headers)


def _texts(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(tags)


def _copied(metadata: Mapping[str, str]) -> dict[str, str]:
    return dict(metadata)


@frozen(kw_only=True)
class JobDefinition:
    """What a user writes of a job; valid from birth except for its target, which `JobService` checks by its policy.

    ``payload`` is JSON text in UTF-8, encoded once and sent as it is. ``headers`` keep the user's order.
    """

    name: str = field(validator=_by(check_name))
    schedule: Schedule
    callback_url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), converter=_pairs, repr=headers_repr)
    payload: bytes = field(default=NULL_PAYLOAD, validator=_by(check_payload))
    timeout: timedelta = field(default=DEFAULT_TIMEOUT, validator=_by(check_timeout))
    retry_policy: RetryPolicy = field(factory=RetryPolicy)
    tags: tuple[str, ...] = field(default=(), converter=_texts)
    metadata: Mapping[str, str] = field(factory=dict, converter=_copied)

    @property
    def stored_bytes(self) -> int:
        """Bytes in UTF-8 of the payload and of all texts: what the job takes to store, and at most to send."""
        pairs = (*self.headers, *self.metadata.items())
        texts = (self.name, self.callback_url, *self.tags, *(text for pair in pairs for text in pair))
        return len(self.payload) + sum(len(text.encode()) for text in texts)


@frozen(kw_only=True)
class Job:
    """A stored job.

    ``host`` is the target's host in lower case: the unit of fairness between receivers.

    ``revision`` grows with everything the user does to it; planning checks it. ``next_run`` is None while nothing is to
    be planned. ``planned_through`` is the latest instant that planning has dealt with. ``last_run`` and
    ``last_run_status`` speak of the newest execution and are filled by reads only.
    """

    id: str
    workspace_id: str
    definition: JobDefinition
    host: str
    status: JobStatus
    inactive_reason: InactiveReason | None = None
    revision: int = 1
    next_run: datetime | None = field(default=None, validator=aware_or_none)
    planned_through: datetime | None = field(default=None, validator=aware_or_none)
    created_at: datetime = field(validator=aware)
    updated_at: datetime = field(validator=aware)
    deleted_at: datetime | None = field(default=None, validator=aware_or_none)
    last_run: datetime | None = field(default=None, validator=aware_or_none)
    last_run_status: ExecutionStatus | None = None

    @property
    def is_one_time(self) -> bool:
        return isinstance(self.definition.schedule, OneTimeSchedule)

    @property
    def counts_against_quota(self) -> bool:
        return self.status is not JobStatus.INACTIVE

    @property
    def counted_bytes(self) -> int:
        """How many stored bytes count against the quota: all of a job's, and none of a deleted one's."""
        return 0 if self.deleted_at is not None else self.definition.stored_bytes

    def changed(self, now: datetime, **changes: Any) -> Job:
        """This job after something the user did: revision and ``updated_at`` move."""
        return evolve(self, revision=self.revision + 1, updated_at=now, **changes)

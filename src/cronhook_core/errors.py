"""Every error that cronhook raises on purpose.

::

    CronhookError
    ├── InvalidRequest                what the caller wrote cannot be accepted
    │   ├── InvalidCron
    │   ├── InvalidTimezone
    │   ├── InvalidRunAt
    │   ├── InvalidCallbackUrl
    │   └── InvalidHeaders
    ├── NotFound                      no such thing in this workspace
    ├── Conflict                      the thing is not in a state that allows this
    │   └── IdempotencyInProgress
    ├── IdempotencyMismatch           same key, other body
    ├── AlreadyAnswered               same key, same body: carries the stored answer
    ├── QuotaExceeded                 the workspace has as much of something as it may have
    ├── RateLimited                   too often; carries when to come back
    ├── Unauthenticated
    ├── Forbidden
    ├── Unavailable                   a dependency is away or busy; nothing was lost, try again
    │   ├── StoreUnavailable          the database is away
    │   │   └── NotAdmitted           the database knows no such role, password or database
    │   ├── StoreBusy                 the database is there; another transaction holds what this one needs
    │   ├── QueueUnavailable
    │   ├── LockUnavailable
    │   ├── RateLimiterUnavailable
    │   └── Overloaded                a process has as much to do as it can hold
    ├── UnreadableSecret              a secret header was encrypted with another key, or changed since
    ├── SchemaMismatch                the database has another schema than this version needs
    ├── ConfigurationError            a setting is wrong
    └── MissingDependency             an extra is not installed

Drivers' errors never leave a backend: they are translated into these at its edge.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from cronhook_core.domain.idempotency import StoredAnswer


class CronhookError(Exception):
    """Base of all errors of cronhook. ``code`` is a stable word for programs. They can be pickled."""

    code: ClassVar[str] = "internal"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[CronhookError], args: tuple[object, ...], state: dict[str, object]) -> CronhookError:
    """Without the constructor, which takes other arguments than the message that it makes of them."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidRequest(CronhookError):
    """What the caller wrote cannot be accepted.

    ``reason`` is one sentence for people. ``pointer`` is the JSON pointer (RFC 6901) of the offending field in the
    API's request body, ``""`` for the whole. ``problems`` lists further (pointer, reason) pairs when there are several.
    """

    code = "invalid_request"
    default_pointer: ClassVar[str] = ""

    def __init__(
        self, reason: str, *, pointer: str | None = None, problems: Sequence[tuple[str, str]] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pointer = self.default_pointer if pointer is None else pointer
        self.problems: tuple[tuple[str, str], ...] = tuple(problems or ((self.pointer, reason),))


class InvalidCron(InvalidRequest):
    """``field`` names the offending cron field (``minute`` … ``day_of_week``), None when the whole line is meant."""

    code = "invalid_cron"
    default_pointer = "/cron"

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.field = field


class InvalidTimezone(InvalidRequest):
    code = "invalid_timezone"
    default_pointer = "/timezone"


class InvalidRunAt(InvalidRequest):
    code = "invalid_run_at"
    default_pointer = "/run_at"


class InvalidCallbackUrl(InvalidRequest):
    code = "invalid_callback_url"
    default_pointer = "/callback_url"


class InvalidHeaders(InvalidRequest):
    code = "invalid_headers"
    default_pointer = "/headers"


class NotFound(CronhookError):
    """No such thing in the caller's workspace; a foreign one is answered the same way."""

    code = "not_found"

    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(f"no {kind} with id {identifier!r}")
        self.kind = kind
        self.identifier = identifier


class Conflict(CronhookError):
    code = "conflict"


class IdempotencyInProgress(Conflict):
    code = "idempotency_in_progress"


class IdempotencyMismatch(CronhookError):
    code = "idempotency_mismatch"


class AlreadyAnswered(CronhookError):
    """The same idempotent request was answered before; ``answer`` is what it got."""

    code = "already_answered"

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__("this request was already answered")
        self.answer = answer


class Quota(StrEnum):
    """What a workspace, or a job, may have only so much of."""

    JOBS = "jobs"
    STORED_BYTES = "stored bytes"
    IDEMPOTENCY_RECORDS = "idempotency records"
    QUEUED_OF_WORKSPACE = "queued executions of the workspace"
    QUEUED_OF_JOB = "queued executions of the job"
    KEYS = "API keys"


_REACHED = {
    Quota.JOBS: "the workspace already has its maximum of {} jobs; delete one or ask for a higher limit",
    Quota.STORED_BYTES: (
        "the jobs of the workspace would take more than its maximum of {} stored bytes; delete some, inactive ones"
        " included, send a smaller payload, or ask for a higher limit"
    ),
    Quota.IDEMPOTENCY_RECORDS: (
        "the workspace already has its maximum of {} idempotency keys within 24 hours; send the request without an"
        " idempotency key, which is still accepted, or ask for a higher limit"
    ),
    Quota.QUEUED_OF_WORKSPACE: (
        "the workspace already has its maximum of {} executions queued by runs and replays; wait until some have ended,"
        " or cancel some"
    ),
    Quota.QUEUED_OF_JOB: (
        "the job already has its maximum of {} executions queued by runs and replays; wait until some have ended, or"
        " cancel some"
    ),
    Quota.KEYS: "the workspace already has its maximum of {} API keys that are valid; revoke one that is not used",
}


class QuotaExceeded(CronhookError):
    """``limit`` is how much there may be of what ``quota`` names."""

    code = "quota_exceeded"

    def __init__(self, limit: int, quota: Quota = Quota.JOBS) -> None:
        super().__init__(_REACHED[quota].format(limit))
        self.limit = limit
        self.quota = quota


class RateLimited(CronhookError):
    """``retry_after`` is how long until the next try is allowed."""

    code = "rate_limited"

    def __init__(
        self,
        retry_after: timedelta,
        reason: str = "too many failed attempts from this address; wait before the next one",
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unauthenticated(CronhookError):
    """The API key is missing, malformed, unknown, revoked or expired: one answer for all five."""

    code = "unauthenticated"


class Forbidden(CronhookError):
    code = "forbidden"

    def __init__(self, scope: str) -> None:
        super().__init__(f"this API key lacks the scope {scope!r}")
        self.scope = scope


class Unavailable(CronhookError):
    """A dependency does not answer, or not now. Nothing was lost; the same call may be repeated."""

    code = "unavailable"


class StoreUnavailable(Unavailable):
    """The database is away. Whether a write took place is unknown."""


class StoreBusy(Unavailable):
    """The database is there, but this call took too long, or another transaction holds what it needs. Nothing was done.

    This is no outage, and says nothing about other rows.
    """


class NotAdmitted(StoreUnavailable):
    """The database does not let cronhook in as its URL says; waiting will hardly help."""


class QueueUnavailable(Unavailable):
    pass


class LockUnavailable(Unavailable):
    pass


class RateLimiterUnavailable(Unavailable):
    pass


class Overloaded(Unavailable):
    """A process has as much to do as it can hold. Nothing was done."""


class UnreadableSecret(CronhookError):
    """The stored value of the secret header ``name`` cannot be decrypted. The message contains no secret."""

    code = "unreadable_secret"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the stored value of the header {name!r} cannot be read: {reason}")
        self.name = name


class SchemaMismatch(CronhookError):
    """The database's schema (``found``, None when there is none) is not the one this version needs (``wanted``)."""

    code = "schema_mismatch"

    def __init__(self, found: str | None, wanted: str) -> None:
        super().__init__(
            f"the database has schema {found or 'none'}, this version needs {wanted}: run `cronhook migrate`"
        )
        self.found = found
        self.wanted = wanted


class ConfigurationError(CronhookError):
    """A setting is wrong; ``variable`` names it. The message never contains a secret's value."""

    code = "configuration"

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable}: {reason}")
        self.variable = variable
        self.reason = reason


class MissingDependency(CronhookError):
    """A backend's driver is not installed; ``extra`` is the extra of the distribution that brings it."""

    code = "missing_dependency"

    def __init__(self, extra: str, module: str) -> None:
        super().__init__(f"{module} is not installed: pip install 'cronhook[{extra}]'")
        self.extra = extra

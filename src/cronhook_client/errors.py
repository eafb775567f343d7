"""Every error that the client raises on purpose.

::

    CronhookError                     the root of all of cronhook's errors
    ├── ConfigurationError            an argument of the client, or its variable, is missing or wrong
    ├── ConnectionFailed              there was no answer
    │   └── TimedOut
    ├── UnexpectedAnswer              something answered that is not cronhook's API
    └── ApiError                      the API answered with an error
        ├── BadRequest            400 what was asked for is not valid: ``errors`` say where and why
        ├── Unauthenticated       401
        ├── Forbidden             403 the key lacks a scope
        ├── NotFound              404
        ├── RequestTimeout        408
        ├── Conflict              409 the state does not allow this
        │   └── IdempotencyInProgress
        ├── PayloadTooLarge       413
        ├── IdempotencyMismatch   422 the idempotency key was used for another request
        ├── TooManyRequests       429
        │   └── QuotaExceeded         a limit of the workspace is reached
        └── ServerError           5xx
            └── Unavailable       503 nothing was lost, try again later

Errors of verifying a webhook are in `cronhook_client.webhooks`.
"""

from __future__ import annotations

from cronhook_client._retry_after import retry_after
from cronhook_client.exchange import Headers, HttpAnswer
from cronhook_core.errors import ConfigurationError, CronhookError
from cronhook_core.wire.problem import Problem, ProblemItem

__all__ = [
    "ApiError",
    "BadRequest",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "CronhookError",
    "Forbidden",
    "IdempotencyInProgress",
    "IdempotencyMismatch",
    "NotFound",
    "PayloadTooLarge",
    "QuotaExceeded",
    "RequestTimeout",
    "ServerError",
    "TimedOut",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
]


class ConnectionFailed(CronhookError):
    """There was no answer, also after the retries. ``sent`` False: the server certainly never saw the request."""

    code = "connection_failed"

    def __init__(self, reason: str, sent: bool) -> None:
        super().__init__(reason, sent)
        self.reason = reason
        self.sent = sent

    def __str__(self) -> str:
        return self.reason


class TimedOut(ConnectionFailed):
    """``timeout`` seconds passed without progress."""

    code = "timed_out"


class UnexpectedAnswer(CronhookError):
    """Something answered that is not cronhook's API, or one of a version too far away: check ``base_url``."""

    code = "unexpected_answer"

    def __init__(self, reason: str, answer: HttpAnswer) -> None:
        super().__init__(reason, answer)
        self.reason = reason
        self.answer = answer

    def __str__(self) -> str:
        return f"{self.reason} (status {self.answer.status})"


class ApiError(CronhookError):
    """The API answered with an error.

    ``problem`` is its body (RFC 9457), ``answer`` the whole of it. ``code`` is a stable word for programs, ``unknown``
    where something between the client and the server answered in its own words.
    """

    code: str  # type: ignore[misc]  # each answer brings its own

    def __init__(self, problem: Problem, answer: HttpAnswer) -> None:
        super().__init__(problem, answer)
        self.problem = problem
        self.answer = answer
        self.code = problem.code

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def detail(self) -> str:
        """What went wrong, for people."""
        return self.problem.detail

    @property
    def errors(self) -> tuple[ProblemItem, ...]:
        """Each field that was refused, by its ``pointer`` into the body (RFC 6901), with the reason in ``detail``."""
        return self.problem.errors

    @property
    def request_id(self) -> str | None:
        """By this the server's log has the request."""
        return self.answer.request_id or self.problem.request_id or None

    @property
    def retry_after(self) -> float | None:
        """Seconds after which trying again makes sense, as the server says; None where it says nothing."""
        return retry_after(self.answer.headers)

    @property
    def headers(self) -> Headers:
        return self.answer.headers

    def __str__(self) -> str:
        fields = "".join(f"\n  {item.pointer or 'body'}: {item.detail}" for item in self.errors)
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{self.detail} ({self.status} {self.code}{request}){fields}"


class BadRequest(ApiError):
    pass


class Unauthenticated(ApiError):
    pass


class Forbidden(ApiError):
    pass


class NotFound(ApiError):
    """What another workspace owns is answered like what does not exist."""


class RequestTimeout(ApiError):
    pass


class Conflict(ApiError):
    pass


class IdempotencyInProgress(Conflict):
    """A request with the same idempotency key is still under way."""


class PayloadTooLarge(ApiError):
    pass


class IdempotencyMismatch(ApiError):
    pass


class TooManyRequests(ApiError):
    pass


class QuotaExceeded(TooManyRequests):
    """Never tried again by itself: only deleting something, or a higher limit, helps; ``detail`` says what."""


class ServerError(ApiError):
    pass


class Unavailable(ServerError):
    pass


_BY_CODE: dict[str, type[ApiError]] = {
    "idempotency_in_progress": IdempotencyInProgress,
    "quota_exceeded": QuotaExceeded,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    408: RequestTimeout,
    409: Conflict,
    413: PayloadTooLarge,
    422: IdempotencyMismatch,
    429: TooManyRequests,
    503: Unavailable,
}


def kind_of(status: int, code: str) -> type[ApiError]:
    """The class of errors with this status (from 400) and code."""
    by_status = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return _BY_CODE.get(code, by_status)

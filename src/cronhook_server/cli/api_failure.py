"""What the API, or the way to it, refused: in sentences, with the option concerned and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from cronhook_client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    Forbidden,
    IdempotencyMismatch,
    NotFound,
    PayloadTooLarge,
    QuotaExceeded,
    RequestTimeout,
    ServerError,
    TooManyRequests,
    Unauthenticated,
    UnexpectedAnswer,
)
from cronhook_core.errors import CronhookError
from cronhook_core.wire.problem import ProblemItem
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.failure import complain

_CODES: tuple[tuple[type[CronhookError], ExitCode], ...] = (
    (BadRequest, ExitCode.WRONG_USE),
    (PayloadTooLarge, ExitCode.WRONG_USE),
    (Unauthenticated, ExitCode.NOT_ALLOWED),
    (Forbidden, ExitCode.NOT_ALLOWED),
    (NotFound, ExitCode.NOT_FOUND),
    (Conflict, ExitCode.REFUSED),
    (IdempotencyMismatch, ExitCode.REFUSED),
    (QuotaExceeded, ExitCode.REFUSED),
    (TooManyRequests, ExitCode.UNREACHABLE),
    (RequestTimeout, ExitCode.UNREACHABLE),
    (ServerError, ExitCode.UNREACHABLE),
    (ConnectionFailed, ExitCode.UNREACHABLE),
    (UnexpectedAnswer, ExitCode.UNREACHABLE),
)
_OPTIONS = {
    "callback_url": "--url",
    "headers": "--header",
    "timeout_seconds": "--timeout",
    "retry_delays_seconds": "--retry-delays",
    "tags": "--tag",
    "grace_seconds": "--grace",
    "scopes": "--scopes",
}
"""Fields whose option has another name than theirs."""
_LISTS = {"/v1/executions/": "cronhook executions list JOB_ID", "/v1/keys/": "cronhook keys list"}
_WHERE = "Is --base-url (CRONHOOK_BASE_URL) right? It is the address of a cronhook server alone, without /v1."
_NO_SERVER = "Start one with `cronhook up`, or say where it is: --base-url, or the variable CRONHOOK_BASE_URL."
_KEY = (
    "Give a valid key: --api-key, or the variable CRONHOOK_API_KEY.",
    "On the server's machine, `cronhook keys create --workspace NAME` makes one.",
)


def is_of_api(error: CronhookError) -> bool:
    return isinstance(error, ApiError | ConnectionFailed | UnexpectedAnswer)


def told(error: CronhookError) -> int:
    """Tell it on stderr; the exit code."""
    if isinstance(error, ApiError):
        _tell_answer(error)
    else:
        complain(str(error), _NO_SERVER if isinstance(error, ConnectionFailed) else _WHERE)
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)


def option_of(pointer: str) -> str:
    """The option that a field of a request's body is given by: ``/headers/x-a`` is ``--header x-a``."""
    name, *rest = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
    if not rest:
        return option
    if rest[0].isdigit() and name in ("retry_delays_seconds", "tags"):
        return f"{option} ({int(rest[0]) + 1} in the list)"
    return f"{option} {'/'.join(rest) if name == 'payload' else rest[0]}"


def _tell_answer(error: ApiError) -> None:
    fields = [_field(item) for item in error.errors if item.pointer]
    reason = error.problem.title if fields else error.detail
    if len(fields) == 1:
        reason, fields = f"{reason}: {fields[0]}", []
    if isinstance(error, Unauthenticated):
        reason = "the API key is not valid: it is unknown, revoked, expired or mistyped"
    request = f", request {error.request_id}" if error.request_id else ""
    complain(reason, *fields, *_advice(error), f"The answer was {error.status} {error.code}{request}.")


def _list_for(error: ApiError) -> str:
    path = error.problem.instance
    return next((command for start, command in _LISTS.items() if path.startswith(start)), "cronhook jobs list")


def _field(item: ProblemItem) -> str:
    return f"{option_of(item.pointer)}: {item.detail}"


def _advice(error: ApiError) -> Iterator[str]:
    if error.code == "unknown" or (isinstance(error, NotFound) and error.detail.startswith("There is nothing at")):
        yield _WHERE
    elif isinstance(error, Unauthenticated):
        yield from _KEY
    elif isinstance(error, Forbidden):
        yield "Use a key that has it, or make one: `cronhook keys create --scopes read,write,admin`."
    elif isinstance(error, NotFound):
        yield f"It may be gone, or belong to another workspace than the key: `{_list_for(error)}` shows what is."
    elif isinstance(error, QuotaExceeded):
        yield "`cronhook workspace show` shows the limit and what is used of it."
    elif error.retry_after is not None:
        yield f"Try again in {error.retry_after:g} s."

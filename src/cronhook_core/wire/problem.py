"""Errors as the API tells them (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from cronhook_core.errors import CronhookError, InvalidRequest, Overloaded, StoreBusy

DOCS = "/docs/errors"
"""The page that explains the codes, each under its own word."""
MAX_ERRORS = 50
RETRY_AFTER_SECONDS = {"unavailable": 2, "quota_exceeded": 60, "rate_limited": 60}
"""What ``retry-after`` says where nothing better is known."""


@frozen
class Kind:
    """What stands for a code: a status and a title that never change with the occurrence."""

    status: int
    title: str


KINDS: dict[str, Kind] = {
    "invalid_request": Kind(400, "The request is not valid"),
    "invalid_cron": Kind(400, "The cron line is not valid"),
    "invalid_timezone": Kind(400, "The time zone is not valid"),
    "invalid_run_at": Kind(400, "The instant is not valid"),
    "invalid_callback_url": Kind(400, "The callback URL is not valid"),
    "invalid_headers": Kind(400, "The headers are not valid"),
    "unauthenticated": Kind(401, "A valid API key is needed"),
    "forbidden": Kind(403, "The API key may not do this"),
    "not_found": Kind(404, "There is no such thing"),
    "method_not_allowed": Kind(405, "The method is not allowed here"),
    "request_timeout": Kind(408, "The request took too long to arrive"),
    "conflict": Kind(409, "The state does not allow this"),
    "idempotency_in_progress": Kind(409, "The same request is under way"),
    "payload_too_large": Kind(413, "The request is too large"),
    "unsupported_media_type": Kind(415, "The media type is not supported"),
    "idempotency_mismatch": Kind(422, "The idempotency key was used for another request"),
    "quota_exceeded": Kind(429, "A limit of the workspace is reached"),
    "rate_limited": Kind(429, "Too many requests"),
    "internal": Kind(500, "Something went wrong"),
    "unavailable": Kind(503, "The service is not available"),
}

_FIXED_DETAILS = {
    "unauthenticated": "Send a valid API key in the header x-api-key.",
    "unavailable": "The database does not answer. Nothing was lost; try again.",
    "internal": "The server made a mistake; it was recorded under this request_id.",
}
"""What is said instead of the error's own words, which might tell more than a stranger should know."""
_BUSY_DETAIL = "The database is busy with other requests. Nothing was done; try again."


@frozen(kw_only=True)
class ProblemItem:
    """``pointer`` is a JSON pointer into the request's body; empty for the whole of it, and for what is not in it."""

    pointer: str
    detail: str


@frozen(kw_only=True)
class Problem:
    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: tuple[ProblemItem, ...] = ()


def problem(
    code: str, detail: str, *, instance: str, request_id: str, errors: Sequence[tuple[str, str]] = ()
) -> Problem:
    """``instance`` is the path of the request."""
    kind = KINDS[code]
    return Problem(
        type=f"{DOCS}#{code}",
        title=kind.title,
        status=kind.status,
        detail=_FIXED_DETAILS.get(code, detail),
        instance=instance,
        code=code,
        request_id=request_id,
        errors=tuple(ProblemItem(pointer=pointer, detail=reason) for pointer, reason in errors[:MAX_ERRORS]),
    )


def problem_of(error: CronhookError, *, instance: str, request_id: str) -> Problem:
    """What the caller is told of one of our errors; of those that are the operator's to mend, that there was one."""
    code = error.code if error.code in KINDS else "internal"
    errors = error.problems if isinstance(error, InvalidRequest) else ()
    told = problem(code, _detail(error), instance=instance, request_id=request_id, errors=errors)
    if isinstance(error, StoreBusy):
        return evolve(told, detail=_BUSY_DETAIL)
    return evolve(told, detail=_detail(error)) if isinstance(error, Overloaded) else told


def _detail(error: CronhookError) -> str:
    """With the names of the fields where the kind of error does not tell: many a log keeps nothing else."""
    if not isinstance(error, InvalidRequest) or error.default_pointer:
        return _sentence(str(error))
    fields = list(dict.fromkeys(pointer.removeprefix("/") for pointer, _ in error.problems))
    if fields == [error.pointer.removeprefix("/")] and all(fields):
        return _ended(f"{fields[0]}: {error}")
    named = f": {', '.join(fields[:MAX_ERRORS])}" if len(fields) > 1 and all(fields) else ""
    return _sentence(f"{error}{named}")


def _sentence(text: str) -> str:
    """With a capital letter and a full stop; reasons in our errors have neither."""
    return _ended(text[:1].upper() + text[1:])


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."

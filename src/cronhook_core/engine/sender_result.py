"""What a sender says of an attempt, before it counts: a sender is any function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from cronhook_core.domain.webhook import Outcome, WebhookResult

_OUTCOMES = frozenset(Outcome) - {Outcome.LOST, Outcome.INTERRUPTED, Outcome.RELEASED}
"""Those that a request can have; the others say what became of a worker."""


def checked(result: object) -> WebhookResult:
    """The result, if it is one that can be stored and decided upon; else one that says what was wrong with it."""
    if not isinstance(result, WebhookResult):
        return failed_by_sender(f"it returned {type(result).__name__}, and no WebhookResult")
    for name, fits in _FITS.items():
        if not fits(getattr(result, name)):
            return failed_by_sender(f"{name} of its WebhookResult is {type(getattr(result, name)).__name__}")
    return result


def failed_by_sender(how: str) -> WebhookResult:
    return WebhookResult(outcome=Outcome.INTERNAL_ERROR, error=f"The sender failed: {how}.")


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_status(value: object) -> bool:
    return value is None or (isinstance(value, int) and 0 <= value <= 999)


def _are_headers(value: object) -> bool:
    return isinstance(value, tuple | list) and all(map(_is_header, value))


def _is_header(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(part, str) for part in value)


def _is_duration(value: object) -> bool:
    return value is None or isinstance(value, timedelta)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


_FITS: Mapping[str, Callable[[object], bool]] = {
    "outcome": _OUTCOMES.__contains__,
    "error": _is_text,
    "response_status": _is_status,
    "response_headers": _are_headers,
    "response_body": _is_text,
    "response_truncated": _is_flag,
    "retry_after": _is_duration,
    "permanent": _is_flag,
}

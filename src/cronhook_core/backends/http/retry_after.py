"""``Retry-After`` (RFC 9110, section 10.2.3), as a hostile receiver may write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from cronhook_core.domain.retry_policy import MAX_DELAY

_DIGITS = re.compile(r"[0-9]+")
_LONGEST_DATE = 64


def parse_retry_after(value: str, *, sent_at: datetime | None) -> timedelta | None:
    """The wait that is asked for, between zero and `MAX_DELAY`; None when the value says nothing sensible.

    ``sent_at`` is the instant that a date is relative to; without it a date says nothing.
    """
    value = value.strip()
    if _DIGITS.fullmatch(value):
        digits = value.lstrip("0") or "0"
        return MAX_DELAY if len(digits) > 6 else min(timedelta(seconds=int(digits)), MAX_DELAY)
    at = parse_http_date(value)
    if at is None or sent_at is None:
        return None
    return min(max(at - sent_at, timedelta(0)), MAX_DELAY)


def parse_http_date(value: str) -> datetime | None:
    """An instant in any of the three forms of HTTP (RFC 9110, section 5.6.7), None when it is none of them."""
    if len(value) > _LONGEST_DATE:
        return None
    try:
        at = parsedate_to_datetime(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

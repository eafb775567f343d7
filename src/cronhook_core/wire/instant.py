"""Instants on the wire (RFC 3339)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

FIRST_YEAR = 1970
LAST_YEAR = 2199

_FORM = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?P<fraction>\.\d{1,9})?(?P<offset>[Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)


def read_instant(text: str) -> datetime:
    """An aware instant in UTC, to the microsecond; raises ValueError with a reason for what is none."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("must be an instant like 2030-01-31T08:00:00Z or 2030-01-31T09:00:00+01:00")
    if match["offset"] is None:
        raise ValueError("the instant has no offset: add Z for UTC, or one like +02:00")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such date or time") from None


def read_requested_instant(text: str) -> datetime:
    """The same, of the years that a request may name."""
    instant = read_instant(text)
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise ValueError(f"the year must be between {FIRST_YEAR} and {LAST_YEAR}")
    return instant


def write_instant(instant: datetime) -> str:
    """In UTC with ``Z``; a fraction of six digits where there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

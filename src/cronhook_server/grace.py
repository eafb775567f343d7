"""How long a key or a signing secret that is replaced stays valid."""

from __future__ import annotations

from datetime import timedelta

from cronhook_core.errors import InvalidRequest

MAX_GRACE = timedelta(days=30)


def grace_of(seconds: float) -> timedelta:
    """Raises `InvalidRequest` for less than nothing, and for more than `MAX_GRACE`."""
    if not 0 <= seconds <= MAX_GRACE.total_seconds():
        raise InvalidRequest(f"must be between 0 and {MAX_GRACE.total_seconds():.0f}", pointer="/grace_seconds")
    return timedelta(seconds=seconds)

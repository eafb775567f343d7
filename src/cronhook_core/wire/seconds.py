"""Durations on the wire: numbers of seconds."""

from __future__ import annotations

from datetime import timedelta

from cronhook_core.errors import InvalidRequest

_GREATEST = 1e9
_MICROSECOND = timedelta(microseconds=1)


def to_seconds(duration: timedelta) -> float:
    """Whole seconds as an int, so that they are written without a point."""
    seconds = duration.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def from_seconds(seconds: float, pointer: str) -> timedelta:
    """To the microsecond; raises `InvalidRequest` for what no duration of ours comes near.

    A fraction is never rounded away, so that nothing beyond a bound is rounded onto it.
    """
    if not -_GREATEST <= seconds <= _GREATEST:
        raise InvalidRequest("is not a number of seconds that anything here may last", pointer=pointer)
    duration, whole = timedelta(seconds=seconds), round(seconds)
    if duration != timedelta(seconds=whole) or seconds == whole:
        return duration
    return duration + (_MICROSECOND if seconds > whole else -_MICROSECOND)

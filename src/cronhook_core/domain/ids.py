"""Identifiers: a prefix, an underscore, and 26 characters whose order is the order of time.

The body is that of a ULID in lower case (48 bits of Unix milliseconds, 80 further bits, Crockford's base 32). Scheduled
executions take the further bits from a hash of what they are, so that the same occurrence always has the same id.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)
_BODY = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_PATTERNS = {
    prefix: re.compile(f"{prefix}_{_BODY}{'[0-9a-hjkmnp-tv-z]{4}' if prefix == 'log' else ''}")
    for prefix in ("job", "exe", "log", "key", "wsp", "wrk")
}
ATTEMPTS_LIMIT = 32**4
"""One more than the greatest attempt number that a log id can name."""


def new_id(prefix: str, now: datetime, random: Random) -> str:
    """An id whose order is that of ``now`` (an aware instant from 1970 on), to the millisecond."""
    return f"{prefix}_{_time_part(_microseconds(now))}{_further_part(random.getrandbits(80))}"


def scheduled_execution_id(job_id: str, scheduled_for: datetime) -> str:
    """The id of the one execution of this job at this instant: computed, so that a restored backup gives it again."""
    microseconds = _microseconds(scheduled_for)
    seed = f"{job_id}|{microseconds}"
    digest = hashlib.sha256(seed.encode()).digest()
    return f"exe_{_time_part(microseconds)}{_further_part(int.from_bytes(digest[:10], 'big'))}"


def first_id_after(prefix: str, instant: datetime) -> str:
    """A bound: below it are all ids of instants up to this one, to the millisecond, and none of later ones."""
    return f"{prefix}_{_time_part(_microseconds(instant + _MILLISECOND))}{_further_part(0)}"


def log_id(execution_id: str, attempt_no: int) -> str:
    """The id of one attempt's log row; ``attempt_no`` from 1, below ``ATTEMPTS_LIMIT``."""
    return f"log_{execution_id.partition('_')[2]}{_base32(attempt_no, 4)}"


def is_id(prefix: str, text: str) -> bool:
    """Whether ``text`` has the form of an id with this prefix; checked before any query."""
    return _PATTERNS[prefix].fullmatch(text) is not None


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=256)
def _time_part(microseconds: int) -> str:
    """Remembered, for many jobs are due at the same instant."""
    return _base32(microseconds // 1000, 10)


def _further_part(bits: int) -> str:
    return _base32(bits, 16)


def _base32(number: int, width: int) -> str:
    """``width`` is even: two characters are looked up at a time."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(5 * width - 10, -1, -10)])

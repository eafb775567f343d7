"""The header ``retry-after`` (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECONDS = re.compile(r"[0-9]{1,9}")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; None where the header is missing or means nothing.

    A date is taken relative to the answer's own ``date``, so that the clocks of both sides need not agree.
    """
    written = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(written):
        return float(written)
    from email.utils import parsedate_to_datetime  # slow to load, and hardly anybody answers with a date

    try:
        wait = parsedate_to_datetime(written) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(wait.total_seconds(), 0.0)

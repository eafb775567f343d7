"""Writes the corpus anew, after a wanted change of meaning: ``python -m tests.unit.schedule.regenerate_corpus``.

Read the difference before committing it: every changed instant is a webhook that users would get at another time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, cycle
from pathlib import Path

from cronhook_core.domain.schedule import CronSchedule
from tests.unit.schedule.lines import DAYS, ELAPSED, FIXED

CORPUS = Path(__file__).with_name("corpus.json")
INSTANTS = 20
LASTING = (
    # zone, a jump of its clock (or just an instant) in a past that no new rule will change
    ("UTC", "2024-02-28T12:00:00+00:00"),
    ("America/New_York", "2025-03-09T07:00:00+00:00"),
    ("America/New_York", "2025-11-02T06:00:00+00:00"),
    ("Europe/Berlin", "2025-03-30T01:00:00+00:00"),
    ("Europe/Dublin", "2025-10-26T01:00:00+00:00"),
    ("Asia/Kolkata", "2025-01-01T00:00:00+00:00"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00+00:00"),
    ("Australia/Lord_Howe", "2025-04-05T15:00:00+00:00"),
    ("Australia/Lord_Howe", "2025-10-04T15:30:00+00:00"),
    ("Pacific/Apia", "2011-12-30T10:00:00+00:00"),
)
CHANGING = (
    ("Africa/Casablanca", "2025-02-23T02:00:00+00:00"),
    ("Africa/Casablanca", "2025-04-06T02:00:00+00:00"),
)
"""Zones whose future is rewritten often: not for lines that run a few times a year."""


def entries() -> Iterator[dict[str, object]]:
    dense = zip(ELAPSED * 2 + FIXED, cycle(LASTING + CHANGING), strict=False)
    sparse = zip(DAYS, cycle(LASTING), strict=False)
    for line, (zone, jump) in chain(dense, sparse):
        lead = timedelta(minutes=15) if line in ELAPSED else timedelta(hours=18)
        yield entry(line, zone, datetime.fromisoformat(jump) - lead)


def entry(line: str, zone: str, after: datetime) -> dict[str, object]:
    instants = [instant.isoformat() for instant in CronSchedule(line, zone).instants(after, INSTANTS)]
    return {"expression": line, "timezone": zone, "after": after.isoformat(), "instants": instants}


def main() -> None:
    lines = ",\n".join(json.dumps(entry) for entry in entries())
    CORPUS.write_text(f"[\n{lines}\n]\n", encoding="ascii")


if __name__ == "__main__":
    main()

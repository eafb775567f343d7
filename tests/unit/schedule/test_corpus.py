"""The corpus says what lines mean; a library's new version that decides otherwise is found out here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import pytest
from croniter import CroniterBadDateError, croniter

from cronhook_core.domain.cron_expression import read_cron
from cronhook_core.domain.time_zone import time_zone
from tests.unit.schedule.lines import ALL
from tests.unit.schedule.oracles import MINUTE
from tests.unit.schedule.regenerate_corpus import CORPUS, INSTANTS, entries, entry

STORED: list[dict[str, Any]] = json.loads(CORPUS.read_text(encoding="ascii"))
CRONITER_DIFFERS = "0 9 1 * 2#2"
"""With ``#`` croniter wants both day fields to match and so finds no day at all; either one suffices."""


def label(stored: dict[str, Any]) -> str:
    return f"{stored['expression']} {stored['timezone']}"


@pytest.mark.parametrize("stored", STORED, ids=label)
def test_lines_mean_what_they_meant(stored: dict[str, Any]) -> None:
    found = entry(stored["expression"], stored["timezone"], datetime.fromisoformat(stored["after"]))
    assert found == stored, "if this is wanted: python -m tests.unit.schedule.regenerate_corpus"


def test_the_corpus_is_whole() -> None:
    assert {stored["expression"] for stored in STORED} == set(ALL)
    assert [label(stored) for stored in STORED] == [label(made) for made in entries()]
    assert all(len(stored["instants"]) == INSTANTS for stored in STORED)


@pytest.mark.parametrize("stored", [s for s in STORED if s["expression"] != CRONITER_DIFFERS], ids=label)
def test_croniter_names_the_same_wall_clock_times(stored: dict[str, Any]) -> None:
    wall = time_zone(stored["timezone"]).local(datetime.fromisoformat(stored["after"])).replace(tzinfo=None)
    theirs = by_croniter(stored["expression"], wall)
    assert list(islice(walk(stored["expression"], wall), INSTANTS)) == [theirs.get_next() for _ in range(INSTANTS)]


def test_the_listed_difference_is_one() -> None:
    start = datetime.fromisoformat("2025-01-01T00:00")
    with pytest.raises(CroniterBadDateError):
        by_croniter(CRONITER_DIFFERS, start).get_next()
    assert [wall.day for wall in islice(walk(CRONITER_DIFFERS, start), 4)] == [1, 14, 1, 11]


def test_why_croniter_does_not_decide() -> None:
    before = time_zone("America/New_York").local(datetime.fromisoformat("2025-11-02T04:00+00:00"))
    twice = croniter("30 1 * * *", before, ret_type=datetime)
    assert [twice.get_next().isoformat() for _ in range(2)] == [
        "2025-11-02T01:30:00-04:00",
        "2025-11-02T01:30:00-05:00",
    ]
    (minutes, hours, *_), _ = croniter.expand("5-5 22-6 * * *")
    assert minutes == ["*"]
    assert sorted(hours) == [0, 1, 2, 3, 4, 5, 6, 22, 23]


def by_croniter(line: str, wall: datetime) -> croniter:
    """It reads lines as we do where no clock jumps; ``implement_cron_bug`` is Debian's rule of the star."""
    return croniter(line, wall, ret_type=datetime, implement_cron_bug=True)


def walk(line: str, wall: datetime) -> Iterator[datetime]:
    while (match := read_cron(line).next_match(wall.replace(second=0) + MINUTE)) is not None:
        yield match
        wall = match

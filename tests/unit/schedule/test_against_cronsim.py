"""Where the clocks of 2026 and 2027 jump, an independent package reads every line as we do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import takewhile

import pytest

from cronhook_core.domain.schedule import CronSchedule
from cronhook_core.domain.time_zone import Shift, time_zone, zone_names
from tests.unit.schedule.lines import ALL, ELAPSED
from tests.unit.schedule.oracles import by_cronsim, by_the_rule

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
SHIFTS = {name: shifts for name in sorted(zone_names()) if (shifts := time_zone(name).shifts(START, END))}
REPRESENTATIVES = sorted({shifts: name for name, shifts in SHIFTS.items()}.values())
"""One zone for each series of jumps."""

HALF_HOURS = "jumps by half an hour (Lord Howe)"
OFF_THE_HOUR = "jumps while the clock shows a quarter to (Chatham)"
MIDNIGHT = "skips midnight (Havana)"
DIFFERENCES = {
    # cronsim searches the next hour in steps of a whole hour, and so steps over what such a jump moved.
    (HALF_HOURS, "30 * * * *"),
    (HALF_HOURS, "0 */2 * * *"),
    (HALF_HOURS, "15 */3 * * *"),
    (HALF_HOURS, "* 2 * * *"),
    (HALF_HOURS, "*/20 2 * * *"),
    (HALF_HOURS, "*/15 2 * * SUN"),
    (OFF_THE_HOUR, "* 2 * * *"),
    (OFF_THE_HOUR, "*/15 2 * * SUN"),
    (OFF_THE_HOUR, "* 1-2 * * SUN"),
    # cronsim goes on from midnight of the new day, which such a day does not have.
    (MIDNIGHT, "* 1-2 * * SUN"),
}
"""Every way in which cronsim differs from Debian's rule as it is written; there the rule wins."""


def kind(shift: Shift) -> str:
    if shift.size % timedelta(hours=1):
        return HALF_HOURS
    if shift.wall_before.minute:
        return OFF_THE_HOUR
    return MIDNIGHT if shift.is_gap and shift.wall_before.time() == time(0) else "jumps by hours on the hour"


def around(shift: Shift, line: str) -> tuple[datetime, datetime]:
    """Wide enough for a daily line, narrow enough for one that runs every minute; cronsim starts before the jump."""
    if line in ELAPSED:
        return shift.at - timedelta(minutes=100), shift.at + timedelta(minutes=150)
    return shift.at - timedelta(hours=27), shift.at + timedelta(hours=27)


def ours(line: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    return list(takewhile(lambda instant: instant <= until, CronSchedule(line, zone).instants(after, 10_000)))


def differing(zone: str, lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The (kind of jump, line) that differ; where they do, ours is checked to be the rule."""
    for shift in SHIFTS[zone]:
        for line in lines:
            window = around(shift, line)
            found = ours(line, zone, *window)
            if found != by_cronsim(line, zone, *window):
                assert found == by_the_rule(line, zone, *window)
                yield kind(shift), line


def test_the_comparison_is_wide_enough() -> None:
    assert len(set(ALL)) >= 60
    assert len(SHIFTS) >= 100
    assert {"America/New_York", "Europe/Berlin", "Europe/Dublin", "Australia/Lord_Howe"} <= SHIFTS.keys()


@pytest.mark.parametrize("zone", REPRESENTATIVES)
def test_every_line_in_one_zone_of_each_kind(zone: str) -> None:
    assert set(differing(zone, ALL)) <= DIFFERENCES


def test_every_zone_with_some_of_the_lines() -> None:
    found = {difference for i, zone in enumerate(SHIFTS) for difference in differing(zone, ALL[i % 9 :: 9])}
    assert found <= DIFFERENCES


def test_no_difference_is_listed_that_is_none() -> None:
    listed = {listed for listed, _ in DIFFERENCES}
    zones = [zone for zone in REPRESENTATIVES if listed & set(map(kind, SHIFTS[zone]))]
    lines = tuple({line for _, line in DIFFERENCES})
    assert {difference for zone in zones for difference in differing(zone, lines)} == DIFFERENCES

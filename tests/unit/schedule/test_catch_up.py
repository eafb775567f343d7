"""What is due after a downtime: the latest instant, and the number of the earlier ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest

from cronhook_core.domain.recurrence import Recurrence
from cronhook_core.domain.schedule import MAX_MISSED, CatchUp, CronSchedule

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LINES = [
    "* * * * *",
    "0 2,3 * * *",
    "*/7 1-5 * * MON-FRI",
    "30 2 * * *",
    "0,15,30,45 2 * * *",
    "0 0 L * *",
    "0 0 29 2 *",
]
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"]


def test_nothing_has_come() -> None:
    assert CronSchedule("* * * * *").catch_up(NOON, NOON - timedelta.resolution) == CatchUp()


def test_one_has_come() -> None:
    schedule = CronSchedule("0 12 * * *")
    assert schedule.catch_up(NOON, NOON) == CatchUp(latest=NOON)
    assert schedule.catch_up(NOON, NOON + timedelta(hours=23)) == CatchUp(latest=NOON)


def test_the_latest_is_due_and_the_earlier_are_counted() -> None:
    found = CronSchedule("0 12 * * *").catch_up(NOON, NOON + timedelta(days=3, hours=5))
    assert found == CatchUp(latest=NOON + timedelta(days=3), missed_count=3, missed_from=NOON)


def test_no_more_than_a_thousand_are_counted() -> None:
    schedule = CronSchedule("* * * * *")
    assert schedule.catch_up(NOON, NOON + 999 * MINUTE).missed_count == 999
    assert schedule.catch_up(NOON, NOON + 1000 * MINUTE).missed_count == MAX_MISSED == 1000
    assert schedule.catch_up(NOON, NOON + 1001 * MINUTE).missed_count == MAX_MISSED


def test_a_first_instant_of_an_older_reading_still_counts() -> None:
    """A stored instant may stem from an older zone database: it was promised, so it was missed."""
    first = NOON + timedelta(minutes=7)
    found = CronSchedule("0 * * * *").catch_up(first, NOON + timedelta(hours=2, minutes=30))
    assert found == CatchUp(latest=NOON + timedelta(hours=2), missed_count=2, missed_from=first)
    assert CronSchedule("0 0 * * *").catch_up(first, first + MINUTE) == CatchUp(latest=first)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("line", LINES)
def test_five_years_cost_a_few_dozen_steps(line: str, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, next_after = [], Recurrence.next_after

    def counted(self: Recurrence, instant: datetime) -> datetime | None:
        steps.append(instant)
        return next_after(self, instant)

    schedule = CronSchedule(line, zone)
    first = schedule.require_instant_after(NOON - timedelta(days=5 * 365))
    monkeypatch.setattr(Recurrence, "next_after", counted)
    found = schedule.catch_up(first, NOON)
    assert len(steps) <= 80
    assert found.latest is not None
    assert found.latest <= NOON
    following = schedule.next_after(found.latest)
    assert following is None or following > NOON


@pytest.mark.parametrize("days", [2, 12])
@pytest.mark.parametrize("jump", [datetime(2025, 3, 9, 7, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC)])
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("line", LINES)
def test_catching_up_equals_walking(line: str, zone: str, jump: datetime, days: int) -> None:
    schedule = CronSchedule(line, zone)
    first = schedule.require_instant_after(jump - timedelta(days=days / 2))
    now = first + timedelta(days=days)
    walked = list(takewhile(lambda instant: instant <= now, schedule.instants(first, 60_000)))
    missed = min(len(walked), MAX_MISSED)
    expected = CatchUp(latest=[first, *walked][-1], missed_count=missed, missed_from=first if missed else None)
    assert schedule.catch_up(first, now) == expected


@pytest.mark.parametrize("microseconds", [0, 1, 2])
@pytest.mark.parametrize("line", ["30 2 * * *", "0 3 * * *", "* * * * *"])
def test_what_is_counted_from_right_before_a_clock_goes_forward(line: str, microseconds: int) -> None:
    """At 01:00 UTC it becomes three in Berlin."""
    forward = datetime(2025, 3, 30, 1, tzinfo=UTC)
    start, end = forward - timedelta(microseconds=microseconds), forward + timedelta(hours=2)
    schedule = CronSchedule(line, "Europe/Berlin")
    walked = list(takewhile(lambda instant: instant < end, schedule.instants(start, 1000)))
    assert schedule.recurrence.count_between(start, end) == len(walked)

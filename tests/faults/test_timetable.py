"""The independent reading of schedules, where the oracle's judgement begins."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.history import Cron, Once
from tests.faults.timetable import instants

DAY = timedelta(days=1)


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_a_line_names_its_instants_after_and_until() -> None:
    found = instants(Cron("*/20 * * * *"), utc(2026, 3, 2, 12, 0), utc(2026, 3, 2, 13, 0))
    assert list(found) == [utc(2026, 3, 2, 12, 20), utc(2026, 3, 2, 12, 40), utc(2026, 3, 2, 13, 0)]
    assert list(instants(Cron("*/20 * * * *"), utc(2026, 3, 2, 11, 50), utc(2026, 3, 2, 12, 0))) == [
        utc(2026, 3, 2, 12, 0)
    ]


def test_asking_earlier_and_later_changes_nothing() -> None:
    daily = Cron("@daily", "Europe/Berlin")
    middle = instants(daily, utc(2026, 6, 1), utc(2026, 6, 4))
    all_of_them = instants(daily, utc(2026, 1, 1), utc(2026, 12, 31))
    assert len(all_of_them) == 364
    assert [instant for instant in all_of_them if utc(2026, 6, 1) < instant <= utc(2026, 6, 4)] == list(middle)


@pytest.mark.parametrize(
    ("expression", "day", "expected"),
    [
        ("30 2 * * *", utc(2026, 3, 29), [utc(2026, 3, 29, 1, 0)]),  # skipped: at the end of the gap
        ("30 2 * * *", utc(2026, 10, 25), [utc(2026, 10, 25, 0, 30)]),  # repeated: the first time
        ("30 * * * *", utc(2026, 10, 25), [utc(2026, 10, 25, hour, 30) for hour in range(4)]),  # both times
    ],
)
def test_clocks_that_jump(expression: str, day: datetime, expected: list[datetime]) -> None:
    found = instants(Cron(expression, "Europe/Berlin"), day, day + timedelta(hours=4))
    assert list(found) == expected


def test_a_single_instant_counts_from_any_time_unless_one_is_given() -> None:
    once = Once(utc(2026, 3, 2))
    assert list(instants(once, None, utc(2026, 3, 2))) == [utc(2026, 3, 2)]
    assert list(instants(once, utc(2026, 3, 2), utc(2027, 1, 1))) == []
    assert list(instants(once, None, utc(2026, 3, 1))) == []

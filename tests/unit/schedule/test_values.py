"""The two schedules as values."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs.exceptions import FrozenInstanceError

from cronhook_core.domain.schedule import CatchUp, CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.errors import InvalidCron, InvalidRequest, InvalidRunAt, InvalidTimezone

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UNKNOWN_ZONES = (
    "",
    " ",
    "localtime",
    "Factory",
    "posixrules",
    "Europe",
    "Europe/",
    "europe/berlin",
    "EUROPE/BERLIN",
    "Europe/Berlin ",
    "Europe/Berlin\n",
    "Europe/Berlin\x00",
    "Europe//Berlin",
    "./Europe/Berlin",
    "Europe/../Europe/Berlin",
    "../../../etc/passwd",
    "/usr/share/zoneinfo/UTC",
    "posix/UTC",
    "right/UTC",
    "zone.tab",
    "tzdata.zi",
    "Mars/Olympus",
    "+02:00",
    "UTC+2",
    "x" * 100_000,
)


@pytest.mark.parametrize("name", UNKNOWN_ZONES)
def test_unknown_zones(name: str) -> None:
    with pytest.raises(InvalidTimezone) as caught:
        CronSchedule("0 0 * * *", name)
    assert len(caught.value.reason) < 400


def test_a_wrong_case_is_told_the_right_one() -> None:
    with pytest.raises(InvalidTimezone, match="did you mean 'Europe/Berlin'"):
        CronSchedule("0 0 * * *", "europe/berlin")


def test_a_zone_is_text() -> None:
    with pytest.raises(InvalidTimezone):
        CronSchedule("0 0 * * *", None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["UTC", "GMT", "Etc/GMT+5", "US/Eastern", "America/Argentina/Buenos_Aires", "EST5EDT"])
def test_known_zones(name: str) -> None:
    assert CronSchedule("0 0 * * *", name).timezone == name


@pytest.mark.parametrize("schedule", [CronSchedule("0 0 * * *", "Europe/Berlin"), OneTimeSchedule(NOON)])
def test_schedules_are_values(schedule: Schedule) -> None:
    name = type(schedule).__slots__[0]
    with pytest.raises(FrozenInstanceError):
        setattr(schedule, name, None)
    assert not hasattr(schedule, "__dict__")
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert hash(pickle.loads(pickle.dumps(schedule))) == hash(schedule)


def test_a_cron_schedule_is_in_utc_unless_told_otherwise() -> None:
    assert CronSchedule("0 0 * * *") == CronSchedule("0 0 * * *", "UTC")
    assert CronSchedule("0 0 * * *") != CronSchedule("0 0 * * *", "Europe/Berlin")


@pytest.mark.parametrize("schedule", [CronSchedule("* * * * *"), OneTimeSchedule(NOON)])
def test_naive_instants_are_refused(schedule: Schedule) -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(InvalidRequest):
        schedule.next_after(naive)
    with pytest.raises(InvalidRequest):
        schedule.catch_up(naive, NOON)
    with pytest.raises(InvalidRequest):
        schedule.catch_up(NOON, naive)
    with pytest.raises(InvalidRequest):
        list(schedule.instants(naive, 1))


@pytest.mark.parametrize("schedule", [CronSchedule("1 12 * * *"), OneTimeSchedule(NOON + MINUTE)])
def test_any_offset_is_understood_and_utc_is_answered(schedule: Schedule) -> None:
    found = schedule.next_after(NOON.astimezone(timezone(timedelta(hours=-7))))
    assert found == NOON + MINUTE
    assert found is not None
    assert found.tzinfo is UTC


def test_next_after_is_strictly_later() -> None:
    schedule = CronSchedule("0 12 * * *")
    assert schedule.next_after(NOON - timedelta.resolution) == NOON
    assert schedule.next_after(NOON) == NOON + timedelta(days=1)


def test_local_shows_the_zone() -> None:
    assert CronSchedule("0 0 * * *", "Asia/Tokyo").local(NOON).isoformat() == "2025-06-01T21:00:00+09:00"


def test_a_one_time_schedule_is_kept_in_utc() -> None:
    schedule = OneTimeSchedule(datetime(2025, 6, 1, 14, tzinfo=timezone(timedelta(hours=2))))
    assert schedule == OneTimeSchedule(NOON)
    assert schedule.run_at.tzinfo is UTC


@pytest.mark.parametrize("run_at", [NOON.replace(tzinfo=None), "2025-06-01", None])
def test_a_one_time_schedule_refuses(run_at: datetime) -> None:
    with pytest.raises(InvalidRunAt):
        OneTimeSchedule(run_at)


def test_a_one_time_schedule_refuses_what_utc_cannot_show() -> None:
    with pytest.raises(InvalidRunAt):
        OneTimeSchedule(datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))))


def test_a_one_time_schedule_has_one_instant() -> None:
    schedule = OneTimeSchedule(NOON)
    assert schedule.next_after(NOON - timedelta.resolution) == NOON
    assert schedule.next_after(NOON) is None
    assert list(schedule.instants(NOON - MINUTE, 5)) == [NOON]
    assert schedule.catch_up(NOON, NOON - MINUTE) == CatchUp()
    assert schedule.catch_up(NOON, NOON + 9 * MINUTE) == CatchUp(latest=NOON)


LATE = [
    ("0 0 * 2 MON#5", "UTC", datetime(2044, 2, 29, tzinfo=UTC)),
    ("* 2 * 3 SUN#2", "America/New_York", None),  # that hour is skipped every year
]


@pytest.mark.parametrize(("line", "zone", "expected"), LATE)
def test_a_line_without_an_instant_in_five_years(line: str, zone: str, expected: datetime | None) -> None:
    schedule = CronSchedule(line, zone)
    assert schedule.next_after(NOON) == expected
    with pytest.raises(InvalidCron, match="within five years"):
        schedule.require_instant_after(NOON)


def test_leap_days_across_a_century_without_one() -> None:
    schedule = CronSchedule("0 0 29 2 *")
    assert schedule.next_after(datetime(2096, 2, 29, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)


def test_a_line_that_waits_four_years_is_fruitful() -> None:
    leap_day = datetime(2028, 2, 29, tzinfo=UTC)
    assert CronSchedule("0 0 29 2 *").require_instant_after(datetime(2024, 2, 29, tzinfo=UTC)) == leap_day


EDGES = [
    datetime.min.replace(tzinfo=UTC),
    datetime(1899, 12, 31, 23, 59, tzinfo=UTC),
    datetime(9949, 12, 31, 23, 59, tzinfo=UTC),
    datetime(9950, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"])
@pytest.mark.parametrize("line", ["* * * * *", "30 2 * * *", "0 0 31 12 *", "* 2 * 3 SUN#2"])
@pytest.mark.parametrize("edge", EDGES)
def test_the_ends_of_the_calendar_are_answered(line: str, zone: str, edge: datetime) -> None:
    found = CronSchedule(line, zone).next_after(edge)
    assert found is None or found > edge

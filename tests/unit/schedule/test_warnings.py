"""What previews warn of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.domain.schedule_warnings import warnings_for
from cronhook_core.errors import InvalidRequest

START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)

OF_LINES = [
    ("0 0 13 * FRI", "day_fields_or", "either of day of month '13' and day of week 'FRI'"),
    ("0 0 L * 1#2", "day_fields_or", "either of day of month 'L' and day of week '1#2'"),
    ("0 0 */2 * MON", "day_fields_and", "both day of month '*/2' and day of week 'MON'"),
    ("*/7 * * * *", "uneven_step", "'*/7' in minute starts anew every hour"),
    ("0 */5 * * *", "uneven_step", "'*/5' in hour starts anew every day"),
    ("0 0 */2 * *", "uneven_step", "'*/2' in day of month starts anew every month"),
    ("0 0 1 */5 *", "uneven_step", "'*/5' in month starts anew every year"),
    ("0 0 * * */2", "uneven_step", "'*/2' in day of week starts anew every week"),
]
GAP = "On 2025-03-30 the clock in Europe/Berlin jumps from 02:00 to 03:00: the "
REPEAT = "On 2025-10-26 the clock in Europe/Berlin jumps from 03:00 to 02:00: the "
OF_JUMPS = [
    ("30 2 * * *", "run due at 02:30 happens at 03:00.", "run due at 02:30 happens once, the first time."),
    (
        "0,30 2 * * *",
        "2 runs due from 02:00 on happen as one, at 03:00.",
        "2 runs due from 02:00 on happen once, the first time.",
    ),
    ("30 */2 * * *", "run due at 02:30 does not happen.", "run due at 02:30 happens in both passes."),
    ("*/30 2 * * *", "2 runs due from 02:00 on do not happen.", "2 runs due from 02:00 on happen in both passes."),
]
SILENT = [
    ("0 0 * * *", "Europe/Berlin"),
    ("30 2 * * *", "Asia/Tokyo"),
    ("30 2 * * *", "UTC"),
    ("30 2 1 6 *", "Europe/Berlin"),
    ("* * * * *", "Europe/Berlin"),
    ("*/5 * * * *", "Europe/Berlin"),
    ("30 * * * *", "America/New_York"),
    ("0 0 1 * *", "UTC"),
    ("0 0 * * MON-FRI", "UTC"),
    ("*/15 */6 * */3 *", "UTC"),
    ("0-59/7 * * * *", "UTC"),
    ("0 0 */1 * *", "UTC"),
]


@pytest.mark.parametrize(("line", "code", "says"), OF_LINES)
def test_warnings_of_the_line_itself(line: str, code: str, says: str) -> None:
    details = [warning.detail for warning in warnings_for(CronSchedule(line), START, START) if warning.code == code]
    assert len(details) == 1
    assert says in details[0]


@pytest.mark.parametrize(("line", "gap", "repeat"), OF_JUMPS)
def test_warnings_of_jumps(line: str, gap: str, repeat: str) -> None:
    found = warnings_for(CronSchedule(line, "Europe/Berlin"), START, END)
    assert [(w.code, w.detail) for w in found] == [("falls_into_gap", GAP + gap), ("repeated_hour", REPEAT + repeat)]


@pytest.mark.parametrize(("line", "zone"), SILENT)
def test_nothing_to_warn_of(line: str, zone: str) -> None:
    assert warnings_for(CronSchedule(line, zone), START, END) == ()


def test_a_line_that_runs_in_every_hour_notices_half_an_hour() -> None:
    found = warnings_for(CronSchedule("45 * * * *", "Australia/Lord_Howe"), START, END)
    assert [warning.code for warning in found] == ["repeated_hour"]


def test_a_skipped_day_is_named() -> None:
    start, end = datetime(2011, 12, 1, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC)
    (found,) = warnings_for(CronSchedule("0 12 * * *", "Pacific/Apia"), start, end)
    assert found.detail.startswith("On 2011-12-30 the clock in Pacific/Apia jumps from 00:00 to 00:00 on 2011-12-31")


def test_only_jumps_of_the_time_asked_for() -> None:
    schedule, jump = CronSchedule("30 2 * * *", "Europe/Berlin"), datetime(2025, 3, 30, 1, tzinfo=UTC)
    assert warnings_for(schedule, jump, jump + timedelta(days=90)) == ()
    assert len(warnings_for(schedule, jump - timedelta.resolution, jump)) == 1
    assert len(warnings_for(schedule, START, datetime.max.replace(tzinfo=UTC))) == 10
    assert warnings_for(schedule, datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)) == ()
    assert warnings_for(schedule, datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)) == ()


def test_naive_instants_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        warnings_for(CronSchedule("* * * * *"), START.replace(tzinfo=None), END)


def test_an_instant_alone_has_no_warnings() -> None:
    assert warnings_for(OneTimeSchedule(START), START, END) == ()

from datetime import UTC, datetime

import pytest

from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule, Schedule
from cronhook_core.errors import InvalidCron, InvalidRequest, InvalidRunAt
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.preview import previewed_instants
from cronhook_core.wire.v1 import PreviewRead, PreviewWrite

AFTER = datetime(2026, 3, 28, 12, tzinfo=UTC)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def preview(schedule: Schedule, after: datetime, count: int) -> PreviewRead:
    return PreviewRead.of(schedule, list(previewed_instants(schedule, after=after, count=count)), after=after)


def test_instants_in_utc_and_local_time() -> None:
    read = to_json(preview(CronSchedule("30 2 * * *", "Europe/Berlin"), AFTER, 2))
    assert read["data"] == [
        {"at": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00"},
        {"at": "2026-03-30T00:30:00Z", "local": "2026-03-30T02:30:00+02:00"},
    ]


def test_warnings_look_a_year_ahead() -> None:
    read = to_json(preview(CronSchedule("30 2 * * *", "Europe/Berlin"), JANUARY, 1))
    assert [warning["code"] for warning in read["warnings"]] == ["falls_into_gap", "repeated_hour"]
    assert "2026-03-29" in read["warnings"][0]["detail"]


def test_one_instant() -> None:
    run_at = datetime(2026, 4, 1, tzinfo=UTC)
    read = to_json(preview(OneTimeSchedule(run_at), AFTER, 10))
    assert read == {"data": [{"at": "2026-04-01T00:00:00Z", "local": "2026-04-01T00:00:00+00:00"}], "warnings": []}


def test_what_could_not_be_stored_has_no_preview() -> None:
    with pytest.raises(InvalidRunAt):
        preview(OneTimeSchedule(datetime(2026, 3, 1, tzinfo=UTC)), AFTER, 1)
    with pytest.raises(InvalidCron):
        preview(CronSchedule("0 0 29 2 *"), datetime(2096, 3, 1, tzinfo=UTC), 1)


@pytest.mark.parametrize("count", [0, 101, -1])
def test_the_count_is_bounded(count: int) -> None:
    with pytest.raises(InvalidRequest, match="between 1 and 100"):
        PreviewWrite(cron="* * * * *", count=count).schedule()


def test_after_goes_with_a_cron_line() -> None:
    asked = PreviewWrite(run_at=datetime(2030, 1, 1, tzinfo=UTC), after=datetime(2029, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidRequest) as refused:
        asked.schedule()
    assert refused.value.pointer == "/after"

from datetime import UTC, datetime

import pytest

from cronhook_core.wire.instant import read_instant, read_requested_instant, write_instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2030-01-31T08:00:00Z", datetime(2030, 1, 31, 8, tzinfo=UTC)),
        ("2030-01-31t08:00:00z", datetime(2030, 1, 31, 8, tzinfo=UTC)),
        ("2030-01-31T08:00:00+02:00", datetime(2030, 1, 31, 6, tzinfo=UTC)),
        ("2030-01-31T08:00:00-00:30", datetime(2030, 1, 31, 8, 30, tzinfo=UTC)),
        ("2030-01-31T08:00:00.5Z", datetime(2030, 1, 31, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("2030-01-31T08:00:00.123456789Z", datetime(2030, 1, 31, 8, 0, 0, 123_456, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2199-12-31T23:59:59Z", datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_reads_rfc_3339(text: str, instant: datetime) -> None:
    for read in (read_instant, read_requested_instant):
        assert read(text) == instant
        assert read(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_an_answer_may_be_of_any_year(text: str) -> None:
    """The 43rd next instant of ``0 0 29 2 *`` is in 2204."""
    assert write_instant(read_instant(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be an instant"),
        ("2030-01-31", "must be an instant"),
        ("20300131T080000Z", "must be an instant"),
        ("2030-W05-4T08:00:00Z", "must be an instant"),
        ("2030-01-31T08:00Z", "must be an instant"),
        ("2030-01-31T08:00:00,5Z", "must be an instant"),
        ("2030-01-31T08:00:00+0100", "must be an instant"),
        ("2030-01-31T08:00:00Z\n", "must be an instant"),
        ("\uff12030-01-31T08:00:00Z", "must be an instant"),
        ("infinity", "must be an instant"),
        ("2030-01-31T08:00:00", "no offset"),
        ("2030-02-30T08:00:00Z", "no such date"),
        ("2030-01-31T24:00:01Z", "no such date"),
        ("2030-01-31T23:59:60Z", "no such date"),
        ("2030-01-31T08:00:00+25:00", "no such date"),
        ("0001-01-01T00:00:00+01:00", "no such date"),
        ("1969-12-31T23:59:59Z", "between 1970 and 2199"),
        ("1970-01-01T00:30:00+01:00", "between 1970 and 2199"),
        ("2200-01-01T00:00:00Z", "between 1970 and 2199"),
    ],
)
def test_refuses(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_requested_instant(text)


@pytest.mark.parametrize("text", ["2030-01-31T08:00:00Z", "2030-01-31T08:00:00.000001Z"])
def test_writes_what_it_read(text: str) -> None:
    assert write_instant(read_instant(text)) == text

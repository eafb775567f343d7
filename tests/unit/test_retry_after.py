"""Retry-After as RFC 9110 has it, and as a hostile receiver writes it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronhook_core.backends.http.retry_after import parse_http_date, parse_retry_after

SENT_AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", timedelta(0)),
        ("7", timedelta(seconds=7)),
        (" 120 ", timedelta(seconds=120)),
        ("0000000000000000007", timedelta(seconds=7)),
        ("86400", DAY),
        ("86401", DAY),
        ("999999", DAY),
        ("9" * 20, DAY),
        ("9" * 8000, DAY),
        ("Sun, 01 Mar 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Sunday, 01-Mar-26 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun Mar  1 12:02:00 2026", timedelta(minutes=2)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", timedelta(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
    ],
)
def test_sensible_values(value: str, wait: timedelta) -> None:
    assert parse_retry_after(value, sent_at=SENT_AT) == wait


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "-1", "+5", "1.5", "1e9", "0x10", "\u0663", "soon", "NaN", "Infinity", "12 s", "\ud800", ",", "1,2"),
        "Sun, 99 Foo 2026",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Sun, 01 Mar 2026 12:00:30 GMT" * 10,
        "a" * 8000,
    ],
)
def test_values_that_say_nothing(value: str) -> None:
    assert parse_retry_after(value, sent_at=SENT_AT) is None


def test_a_date_says_nothing_without_a_now() -> None:
    assert parse_retry_after("Sun, 01 Mar 2026 12:00:30 GMT", sent_at=None) is None
    assert parse_retry_after("30", sent_at=None) == timedelta(seconds=30)


@given(st.text() | st.from_regex(r"[A-Za-z]{3}, \d+ [A-Za-z]{3} \d+ \d+:\d+:\d+ [-+A-Z0-9]+"))
def test_nothing_is_raised_and_the_wait_is_bounded(value: str) -> None:
    wait = parse_retry_after(value, sent_at=SENT_AT)
    assert wait is None or timedelta(0) <= wait <= DAY


def test_dates_are_aware() -> None:
    assert parse_http_date("Sun, 01 Mar 2026 12:00:00 GMT") == SENT_AT
    assert parse_http_date("Sun, 01 Mar 2026 12:00:00 -0000") == SENT_AT
    assert parse_http_date("Sun, 01 Mar 2026 13:00:00 +0100") == SENT_AT

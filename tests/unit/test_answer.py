"""What is kept of an answer, and how it is made harmless."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from cronhook_core.backends.http.answer import STORED_HEADERS, result_of
from cronhook_core.domain.webhook import (
    RESPONSE_BODY_STORED_LIMIT,
    RESPONSE_HEADER_STORED_LIMIT,
    Outcome,
    WebhookRequest,
    WebhookResult,
)


def result(
    status: int = 200,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    *,
    complete: bool = True,
    sent: tuple[tuple[str, str], ...] = (),
) -> WebhookResult:
    request = WebhookRequest(url="https://good.test/", headers=sent, body=b"null", timeout=timedelta(seconds=1))
    return result_of(request, status, CIMultiDict(headers or {}), bytearray(body), complete=complete)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_2xx_is_success(status: int) -> None:
    assert result(status).outcome is Outcome.SUCCEEDED
    assert result(status).error is None


@pytest.mark.parametrize("status", [101, 199, 300, 301, 302, 304, 307, 308, 400, 404, 410, 429, 500, 503, 599, 999])
def test_everything_else_is_a_failure_with_its_status(status: int) -> None:
    failure = result(status)
    assert failure.outcome is Outcome.HTTP_ERROR
    assert failure.response_status == status
    assert str(status) in (failure.error or "")
    assert ("redirects" in (failure.error or "")) is (300 <= status <= 399)


def test_headers_are_kept_by_a_list() -> None:
    kept = result(headers={name.title(): "x" for name in (*STORED_HEADERS, "set-cookie", "x-secret", "link")})
    assert kept.response_headers == tuple((name, "x") for name in STORED_HEADERS)
    assert "set-cookie" not in STORED_HEADERS


def test_header_values_are_made_harmless() -> None:
    kept = dict(result(headers={"server": "a\udcff\x85\u202eb é", "location": "l" * 1000}).response_headers)
    assert kept["server"] == "a\ufffdb é"
    assert kept["location"] == "l" * RESPONSE_HEADER_STORED_LIMIT


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", ""),
        (b"hello", "hello"),
        (b"a\0b\0", "ab"),
        ("é€😀".encode(), "é€😀"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xc3", "\ufffd"),
        (b"\x1f\x8b\x08\x00", "\x1f\ufffd\x08"),
    ],
)
def test_bodies_become_text(body: bytes, text: str) -> None:
    kept = result(body=body)
    assert kept.response_body == text
    assert kept.response_truncated is False


def test_long_bodies_are_cut_between_characters() -> None:
    kept = result(body=b"x" * (RESPONSE_BODY_STORED_LIMIT - 1) + "€€".encode())
    assert kept.response_body == "x" * (RESPONSE_BODY_STORED_LIMIT - 1)
    assert kept.response_truncated is True
    assert result(body=b"x" * RESPONSE_BODY_STORED_LIMIT).response_truncated is False
    assert result(body=b"x", complete=False).response_truncated is True
    assert result(body=b"\xff" * (RESPONSE_BODY_STORED_LIMIT // 3)).response_truncated is False
    assert result(body=b"\xff" * (RESPONSE_BODY_STORED_LIMIT // 3 + 1)).response_truncated is True


@given(st.binary(max_size=2 * RESPONSE_BODY_STORED_LIMIT))
def test_any_body_fits_and_can_be_stored(body: bytes) -> None:
    text = result(body=body).response_body
    assert text is not None
    assert len(text.encode()) <= RESPONSE_BODY_STORED_LIMIT
    assert "\0" not in text


RETRY_DATE = {"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}
SIGNED_AT_NOON = (("Webhook-Timestamp", "1772366400"),)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_where_it_means_something(status: int) -> None:
    assert result(status, {"retry-after": "7"}).retry_after == timedelta(seconds=7)
    assert result(status).retry_after is None


@pytest.mark.parametrize("status", [200, 301, 404, 500, 502])
def test_retry_after_is_left_alone_elsewhere(status: int) -> None:
    assert result(status, {"retry-after": "7"}).retry_after is None


def test_a_date_counts_from_the_receivers_own_clock_or_from_the_attempt() -> None:
    by_receiver = {**RETRY_DATE, "date": "Sun, 01 Mar 2026 12:00:10 GMT"}
    assert result(503, by_receiver, sent=SIGNED_AT_NOON).retry_after == timedelta(seconds=20)
    assert result(503, RETRY_DATE, sent=SIGNED_AT_NOON).retry_after == timedelta(seconds=30)
    assert result(503, RETRY_DATE).retry_after is None
    assert result(503, RETRY_DATE, sent=(("webhook-timestamp", "9" * 30),)).retry_after is None

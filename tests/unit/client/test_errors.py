"""What errors tell."""

import pickle

import pytest

from cronhook_client import errors
from cronhook_client._reading import error_of
from cronhook_client.errors import ApiError, ConnectionFailed, CronhookError, TimedOut, UnexpectedAnswer
from cronhook_client.exchange import Headers, HttpAnswer
from cronhook_core.errors import ConfigurationError, NotFound, QuotaExceeded
from cronhook_core.wire.problem import KINDS
from tests.unit.client.scripted_transport import answer, problem


def error_from(refusal: HttpAnswer) -> ApiError:
    error = error_of(refusal)
    assert isinstance(error, ApiError)
    return error


KIND_OF_CODE = {
    "invalid_request": errors.BadRequest,
    "invalid_cron": errors.BadRequest,
    "invalid_timezone": errors.BadRequest,
    "invalid_run_at": errors.BadRequest,
    "invalid_callback_url": errors.BadRequest,
    "invalid_headers": errors.BadRequest,
    "unauthenticated": errors.Unauthenticated,
    "forbidden": errors.Forbidden,
    "not_found": errors.NotFound,
    "method_not_allowed": errors.ApiError,
    "request_timeout": errors.RequestTimeout,
    "conflict": errors.Conflict,
    "idempotency_in_progress": errors.IdempotencyInProgress,
    "payload_too_large": errors.PayloadTooLarge,
    "unsupported_media_type": errors.ApiError,
    "idempotency_mismatch": errors.IdempotencyMismatch,
    "quota_exceeded": errors.QuotaExceeded,
    "rate_limited": errors.TooManyRequests,
    "internal": errors.ServerError,
    "unavailable": errors.Unavailable,
}


@pytest.mark.parametrize("code", KINDS)
def test_every_code_of_the_api_has_its_kind(code: str) -> None:
    error = error_from(problem(KINDS[code].status, code))
    assert type(error) is KIND_OF_CODE[code]
    assert (error.code, error.status) == (code, KINDS[code].status)


def test_all_that_an_error_tells() -> None:
    error = error_from(
        problem(
            400,
            "invalid_cron",
            [("X-Request-ID", "req_1"), ("retry-after", "7")],
            errors=[
                {"pointer": "/cron", "detail": "the minute is out of range"},
                {"pointer": "", "detail": "too much"},
            ],
        )
    )
    assert error.detail == "What went wrong."
    assert [(item.pointer, item.detail) for item in error.errors] == [
        ("/cron", "the minute is out of range"),
        ("", "too much"),
    ]
    assert error.request_id == "req_1"
    assert error.retry_after == 7
    assert error.headers["RETRY-AFTER"] == "7"
    assert str(error) == (
        "What went wrong. (400 invalid_cron, request req_1)\n  /cron: the minute is out of range\n  body: too much"
    )


def test_the_request_id_may_only_be_in_the_body() -> None:
    assert error_from(problem(404, "not_found")).request_id == "req_of_the_body"


@pytest.mark.parametrize(
    "stranger",
    [
        HttpAnswer(status=502, body=b"<html>\xff bad gateway </html>"),
        answer(502, {"code": "mine"}),
        HttpAnswer(status=502, headers=Headers([("content-type", "application/problem+json")]), body=b"{"),
        HttpAnswer(status=502, headers=Headers([("content-type", "application/problem+json")]), body=b'{"code": 7}'),
        HttpAnswer(status=502, headers=Headers([("content-type", "application/problem+json")]), body=b"[" * 100_000),
        HttpAnswer(status=502),
    ],
)
def test_strangers_words_are_repeated_but_not_believed(stranger: HttpAnswer) -> None:
    error = error_from(stranger)
    assert (type(error), error.code, error.request_id, error.retry_after) == (
        errors.ServerError,
        "unknown",
        None,
        None,
    )
    assert len(str(error)) < 400
    assert error.answer is stranger


def test_a_problem_may_have_members_of_a_later_version() -> None:
    assert error_from(problem(404, "not_found", of_a_later_version=1)).code == "not_found"


def test_a_redirect_says_where_base_url_should_lead() -> None:
    error = error_of(answer(308, headers=[("location", "https://elsewhere/v1/jobs")]))
    assert isinstance(error, UnexpectedAnswer)
    assert "https://elsewhere/v1/jobs" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        error_from(problem(429, "quota_exceeded", [("retry-after", "60")])),
        UnexpectedAnswer("odd", answer(200)),
        TimedOut("late", True),
        ConfigurationError("CRONHOOK_API_KEY", "there is no API key"),
        NotFound("job", "job_1"),
        QuotaExceeded(7),
    ],
)
def test_errors_survive_the_way_to_another_process(error: CronhookError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.args, copy.code) == (type(error), str(error), error.args, error.code)
    assert copy.__dict__.keys() == error.__dict__.keys()


def test_one_root_catches_all() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__]
    assert all(issubclass(kind, CronhookError) for kind in kinds)


def test_what_was_never_sent_says_so() -> None:
    assert ConnectionFailed("refused", False).sent is False
    assert str(ConnectionFailed("refused", False)) == "refused"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([("retry-after", "120")], 120.0),
        ([("retry-after", " 0 ")], 0.0),
        (
            [("retry-after", "Fri, 31 Jan 2030 08:02:00 GMT"), ("date", "Fri, 31 Jan 2030 08:00:00 GMT")],
            120.0,
        ),
        ([("retry-after", "Fri, 31 Jan 2020 08:02:00 GMT"), ("date", "Fri, 31 Jan 2030 08:00:00 GMT")], 0.0),
        ([("retry-after", "Fri, 31 Jan 2030 08:02:00 GMT")], None),
        ([("retry-after", "-1")], None),
        ([("retry-after", "1.5")], None),
        ([("retry-after", "soon"), ("date", "today")], None),
        ([("retry-after", "9" * 400)], None),
        ([("retry-after", "Mon, 01 Jan 2024 00:00:00 +99999999999999999999")], None),
        ([], None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: list[tuple[str, str]], seconds: float | None) -> None:
    assert error_from(problem(503, "unavailable", headers)).retry_after == seconds


def test_headers_are_found_in_any_case() -> None:
    headers = Headers([("Set-Cookie", "a"), ("set-cookie", "b"), ("X-Request-Id", "r")])
    assert headers["x-REQUEST-id"] == "r"
    assert headers["set-cookie"] == "a, b"
    assert list(headers) == ["set-cookie", "x-request-id"]
    assert len(headers) == 2
    assert "missing" not in headers

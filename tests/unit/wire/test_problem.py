import pytest

from cronhook_core.domain.idempotency import StoredAnswer
from cronhook_core.errors import (
    AlreadyAnswered,
    ConfigurationError,
    Conflict,
    CronhookError,
    Forbidden,
    IdempotencyInProgress,
    IdempotencyMismatch,
    InvalidCallbackUrl,
    InvalidCron,
    InvalidHeaders,
    InvalidRequest,
    InvalidRunAt,
    InvalidTimezone,
    LockUnavailable,
    NotFound,
    Quota,
    QuotaExceeded,
    StoreBusy,
    StoreUnavailable,
    Unauthenticated,
)
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.problem import KINDS, MAX_ERRORS, problem_of


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("no"), 400, "invalid_request"),
        (InvalidCron("no"), 400, "invalid_cron"),
        (InvalidTimezone("no"), 400, "invalid_timezone"),
        (InvalidRunAt("no"), 400, "invalid_run_at"),
        (InvalidCallbackUrl("no"), 400, "invalid_callback_url"),
        (InvalidHeaders("no"), 400, "invalid_headers"),
        (Unauthenticated(), 401, "unauthenticated"),
        (Forbidden("admin"), 403, "forbidden"),
        (NotFound("job", "job_1"), 404, "not_found"),
        (Conflict("no"), 409, "conflict"),
        (IdempotencyInProgress("no"), 409, "idempotency_in_progress"),
        (IdempotencyMismatch("no"), 422, "idempotency_mismatch"),
        *((QuotaExceeded(100, quota), 429, "quota_exceeded") for quota in Quota),
        (StoreUnavailable("no"), 503, "unavailable"),
        (StoreBusy("no"), 503, "unavailable"),
        (LockUnavailable("no"), 503, "unavailable"),
        (ConfigurationError("CRONHOOK_PORT", "no"), 500, "internal"),
        (AlreadyAnswered(StoredAnswer(status=201, headers=(), body=b"")), 500, "internal"),
        (CronhookError("no"), 500, "internal"),
    ],
)
def test_every_error_has_its_status_and_code(error: CronhookError, status: int, code: str) -> None:
    told = problem_of(error, instance="/v1/jobs", request_id="req_1")
    assert (told.status, told.code) == (status, code)
    assert told.title == KINDS[code].title
    assert told.type == f"/docs/errors#{code}"


def test_a_busy_database_is_not_told_as_one_that_is_away() -> None:
    busy, away = (
        problem_of(error, instance="/", request_id="req_1") for error in (StoreBusy("x"), StoreUnavailable("x"))
    )
    assert busy.detail == "The database is busy with other requests. Nothing was done; try again."
    assert away.detail == "The database does not answer. Nothing was lost; try again."


def test_the_body() -> None:
    assert to_json(problem_of(InvalidCron("minute: no"), instance="/v1/jobs", request_id="req_1")) == {
        "type": "/docs/errors#invalid_cron",
        "title": "The cron line is not valid",
        "status": 400,
        "detail": "Minute: no.",
        "instance": "/v1/jobs",
        "code": "invalid_cron",
        "request_id": "req_1",
        "errors": [{"pointer": "/cron", "detail": "minute: no"}],
    }


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("connection to 10.0.0.5:5432 failed"),
        Unauthenticated("revoked"),
        ConfigurationError("CRONHOOK_DATABASE_URL", "host db.internal"),
        CronhookError("SELECT secret"),
    ],
)
def test_inner_matters_are_not_told(error: CronhookError) -> None:
    told = str(to_json(problem_of(error, instance="/", request_id="req_1")))
    assert str(error) not in told
    assert not any(word in told for word in ("10.0.0.5", "revoked", "db.internal", "SELECT"))


def test_the_list_of_errors_is_bounded() -> None:
    many = InvalidRequest("no", problems=[(f"/{n}", "no") for n in range(MAX_ERRORS + 1)])
    assert len(problem_of(many, instance="/", request_id="req_1").errors) == MAX_ERRORS


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (InvalidRequest("is required", pointer="/name"), "name: is required."),
        (InvalidRequest("not like this", pointer=""), "Not like this."),
        (InvalidRequest("there is no such field", pointer="/"), "There is no such field."),
        (InvalidCron("minute: no"), "Minute: no."),
        (InvalidRequest("2 fields are wrong", problems=[("/a", "no"), ("/b/0", "no")]), "2 fields are wrong: a, b/0."),
        (InvalidRequest("2 fields are wrong", problems=[("/a", "no"), ("", "no")]), "2 fields are wrong."),
    ],
)
def test_the_detail_names_the_fields(error: InvalidRequest, detail: str) -> None:
    assert problem_of(error, instance="/", request_id="req_1").detail == detail

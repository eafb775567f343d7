"""The flow of tries, without any I/O."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronhook_client import _calls
from cronhook_client._call import Call, Repeat
from cronhook_client._options import Options
from cronhook_client._retrying import LONGEST_PAUSE, MOST_RETRY_AFTER, Try, pause_after, tries
from cronhook_client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    CronhookError,
    NotFound,
    QuotaExceeded,
    ServerError,
    TimedOut,
    TooManyRequests,
    Unavailable,
    UnexpectedAnswer,
)
from cronhook_client.exchange import Headers, HttpAnswer
from cronhook_client.response import Response
from tests.unit.client.bodies import EXECUTION, JOB, KEY_MADE
from tests.unit.client.scripted_transport import Outcome, answer, problem

OPTIONS = Options(api_key="chk_1", base_url="http://host", timeout=5, max_retries=3)
NEVER_SENT = ConnectionFailed("refused", False)
MAYBE_SENT = ConnectionFailed("reset", True)
TIMED_OUT = TimedOut("no answer in time", True)

GET = _calls.get_job("job_1")
RUN = _calls.run_job("job_1", idempotency_key=None)
DELETE = _calls.delete_job("job_1")
ROTATE = _calls.rotate_key("key_1", grace_seconds=None)
SUCCESS = {GET: answer(200, JOB), RUN: answer(202, EXECUTION), DELETE: answer(204), ROTATE: answer(201, KEY_MADE)}


def run(call: Call[Any], *outcomes: Outcome, options: Options = OPTIONS) -> tuple[list[Try], Response[Any]]:
    """All tries, and what they ended with; raises what they raise. The outcomes must be used up."""
    flow = tries(call, options, random=Random(1), user_agent="tests")
    made, left = [next(flow)], list(outcomes)
    while True:
        try:
            step = flow.send(left.pop(0))
        except StopIteration as end:
            assert left == []
            return made, end.value
        made.append(step)


@pytest.mark.parametrize(
    "failure",
    [
        NEVER_SENT,
        MAYBE_SENT,
        TIMED_OUT,
        problem(408, "request_timeout"),
        problem(409, "idempotency_in_progress"),
        problem(429, "rate_limited", [("retry-after", "1")]),
        problem(500, "internal"),
        problem(503, "unavailable", [("retry-after", "2")]),
        answer(502, "<html>bad gateway</html>"),
        answer(429),
    ],
    ids=repr,
)
@pytest.mark.parametrize("call", [GET, RUN, DELETE])
def test_what_may_pass_is_tried_again(call: Call[Any], failure: Outcome) -> None:
    made, response = run(call, failure, failure, failure, SUCCESS[call])
    assert len(made) == 4
    assert response.retries == 3
    assert len({repr((step.request, sorted(step.request.headers.items()))) for step in made}) == 1
    assert made[0].pause == 0
    assert all(step.pause > 0 for step in made[1:])


def test_all_tries_of_a_post_have_one_idempotency_key() -> None:
    made, _ = run(RUN, MAYBE_SENT, answer(500), TIMED_OUT, SUCCESS[RUN])
    keys = {step.request.headers["idempotency-key"] for step in made}
    assert len(keys) == 1
    assert len(keys.pop()) == 32


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (NEVER_SENT, ConnectionFailed),
        (TIMED_OUT, TimedOut),
        (problem(429, "rate_limited"), TooManyRequests),
        (problem(503, "unavailable"), Unavailable),
        (answer(502), ServerError),
    ],
)
def test_the_last_failure_is_raised(failure: Outcome, kind: type[CronhookError]) -> None:
    with pytest.raises(kind):
        run(GET, problem(500, "internal"), problem(500, "internal"), problem(500, "internal"), failure)


def test_no_retries_when_none_are_wanted() -> None:
    with pytest.raises(ConnectionFailed):
        run(GET, NEVER_SENT, options=Options(api_key="k", base_url="http://host", timeout=5, max_retries=0))


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (problem(400, "invalid_cron"), BadRequest),
        (problem(404, "not_found"), NotFound),
        (problem(409, "conflict"), Conflict),
        (problem(422, "idempotency_mismatch"), ApiError),
        (problem(429, "quota_exceeded", [("retry-after", "1")]), QuotaExceeded),
        (problem(429, "rate_limited", [("retry-after", "31")]), TooManyRequests),
        (problem(503, "unavailable", [("retry-after", "86400")]), Unavailable),
        (answer(301, headers=[("location", "https://elsewhere/")]), UnexpectedAnswer),
        (answer(200, {"not": "a job"}), UnexpectedAnswer),
        (HttpAnswer(status=200, body=b"[" * 100_000), UnexpectedAnswer),
    ],
)
def test_what_will_not_pass_is_raised_at_once(failure: HttpAnswer, kind: type[CronhookError]) -> None:
    with pytest.raises(kind):
        run(RUN, failure)


@pytest.mark.parametrize("failure", [MAYBE_SENT, TIMED_OUT, problem(500, "internal"), problem(503, "unavailable")])
def test_what_must_not_be_done_twice_is_not_repeated_when_it_may_be_done(failure: Outcome) -> None:
    with pytest.raises(CronhookError):
        run(ROTATE, failure)


@pytest.mark.parametrize("failure", [NEVER_SENT, problem(408, "request_timeout"), problem(429, "rate_limited")])
def test_it_is_repeated_when_it_was_certainly_not_done(failure: Outcome) -> None:
    _, response = run(ROTATE, failure, SUCCESS[ROTATE])
    assert response.value.key == "chk_secret"


class TestDeletions:
    @pytest.mark.parametrize("failure", [MAYBE_SENT, TIMED_OUT, problem(500, "internal"), answer(504)])
    def test_a_repeat_that_finds_nothing_was_done_before(self, failure: Outcome) -> None:
        _, response = run(DELETE, failure, problem(404, "not_found"))
        assert response.value is None
        assert response.status == 404

    def test_also_where_the_last_failure_never_arrived(self) -> None:
        _, response = run(DELETE, MAYBE_SENT, NEVER_SENT, problem(404, "not_found"))
        assert response.retries == 2

    @pytest.mark.parametrize("failure", [NEVER_SENT, problem(429, "rate_limited")])
    def test_one_that_cannot_have_been_done_is_missing(self, failure: Outcome) -> None:
        with pytest.raises(NotFound):
            run(DELETE, failure, problem(404, "not_found"))

    @pytest.mark.parametrize(
        "missing",
        [
            answer(404, "default backend - 404", [("content-type", "text/plain")]),
            answer(404, {"code": "not_found"}, [("content-type", "application/json")]),
            problem(404, "no_such_route"),
        ],
        ids=repr,
    )
    def test_only_the_api_can_say_that_it_was_done_before(self, missing: HttpAnswer) -> None:
        with pytest.raises(NotFound):
            run(DELETE, MAYBE_SENT, missing)

    @pytest.mark.parametrize("call", [DELETE, _calls.revoke_key("key_1")])
    @pytest.mark.parametrize("before", [(), (MAYBE_SENT,)], ids=["the first try", "a repeat"])
    @pytest.mark.parametrize("status", [200, 202])
    def test_the_page_of_a_proxy_deletes_nothing(
        self, call: Call[Any], before: tuple[Outcome, ...], status: int
    ) -> None:
        page = answer(status, "<html>Please log in</html>", [("content-type", "text/html")])
        with pytest.raises(UnexpectedAnswer, match="not one of cronhook's: does base_url lead to cronhook"):
            run(call, *before, page)

    def test_what_is_read_is_missing_after_any_failure(self) -> None:
        with pytest.raises(NotFound):
            run(GET, MAYBE_SENT, problem(404, "not_found"))


class TestHealth:
    def test_a_failing_health_is_an_answer(self) -> None:
        body = {"status": "failing", "checks": []}
        made, response = run(_calls.health(), answer(500, body))
        assert (len(made), response.value.status, response.status) == (1, "failing", 500)

    @pytest.mark.parametrize("call", [_calls.health(), _calls.ready()])
    def test_what_a_proxy_says_in_the_place_of_the_server_is_tried_again(self, call: Any) -> None:
        page = HttpAnswer(status=503, headers=Headers([("content-type", "text/html")]), body=b"<html>later</html>")
        made, response = run(call, page, answer(200, {"status": "ok", "checks": []}))
        assert (len(made), response.status) == (2, 200)

    def test_a_server_that_fails_to_tell_is_tried_again(self) -> None:
        made, _ = run(_calls.health(), problem(500, "internal"), answer(200, {"status": "ok"}))
        assert len(made) == 2


class TestPauses:
    @given(spread=st.floats(0, 1, exclude_max=True), retries=st.integers(0, 2000))
    def test_they_grow_to_a_limit(self, spread: float, retries: int) -> None:
        whole = min(LONGEST_PAUSE, 0.5 * 2 ** min(retries, 40))
        pause = pause_after(NEVER_SENT, repeat=Repeat.FREELY, retries=retries, spread=spread)
        assert pause is not None
        assert whole / 2 <= pause <= whole

    @given(
        asked=st.integers(0, int(MOST_RETRY_AFTER)),
        spread=st.floats(0, 1, exclude_max=True),
        retries=st.integers(0, 10),
    )
    def test_what_the_server_asks_for_is_kept(self, asked: int, spread: float, retries: int) -> None:
        failure = Unavailable(*told(problem(503, "unavailable", [("retry-after", str(asked))])))
        pause = pause_after(failure, repeat=Repeat.FREELY, retries=retries, spread=spread)
        assert pause is not None
        assert asked <= pause <= max(asked * 1.1, LONGEST_PAUSE)

    def test_clients_do_not_return_together(self) -> None:
        failure = Unavailable(*told(problem(503, "unavailable", [("retry-after", "10")])))
        pauses = {pause_after(failure, repeat=Repeat.FREELY, retries=0, spread=n / 10) for n in range(10)}
        assert len(pauses) == 10


def told(refusal: HttpAnswer) -> tuple[Any, HttpAnswer]:
    from cronhook_client._reading import error_of

    error = error_of(refusal)
    assert isinstance(error, ApiError)
    return error.problem, error.answer

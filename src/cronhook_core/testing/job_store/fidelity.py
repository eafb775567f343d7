"""What is read back is what was written, to the byte and the microsecond."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cronhook_core.domain.claim import AttemptReport
from cronhook_core.domain.job import MAX_PAYLOAD_BYTES
from cronhook_core.domain.retry_policy import MAX_DELAYS, RetryPolicy
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.domain.webhook import Outcome
from cronhook_core.testing.builders import NOW, make_result, retry, succeeded
from cronhook_core.testing.job_store.scene import LATER, JobStoreSuite, Scene

HOSTILE_TEXTS = (
    "'; DROP TABLE jobs; --",
    'a "quoted" \\ back\\\\slash',
    "percent % under_score ?:name $1 {0}",
    "line\nbreak\r\n\ttab\x1b[31m\x7f",
    "née né\u0301e ﬁ İ ß 東京 \u202eright-to-left\u202c 🦊👩‍👩‍👧",
    "\ufeffbom and \U0010ffff",
    "null",
    " leading and trailing ",
)
ODD_INSTANTS = (
    datetime(2026, 3, 2, 12, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 2, 12, 0, 0, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 2, 12, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=5, minutes=45))),
)


class Fidelity(JobStoreSuite):
    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"null",
            b'{"a":  1 , "a": 1.0, "b": 1e400, "c": "\\u0000\\ud800"}\n',
            "née né\u0301e 東京 🦊".encode(),
            bytes(range(256)),
            b"x" * MAX_PAYLOAD_BYTES,
        ],
        ids=["empty", "null", "json", "unicode", "every byte", "longest"],
    )
    async def test_payloads(self, scene: Scene, payload: bytes) -> None:
        job = await scene.job(payload=payload)
        assert (await scene.job_now(job)).definition.payload == payload
        assert (await scene.running(job)).payload == payload

    @pytest.mark.parametrize("text", HOSTILE_TEXTS)
    async def test_texts(self, scene: Scene, text: str) -> None:
        job = await scene.job(name=text, headers=(("x-text", text),), tags=(text,), metadata={text: text, "other": ""})
        stored = await scene.job_now(job)
        assert stored == job
        assert (await scene.running(job)).headers == (("x-text", text),)

    async def test_orders_and_doubles(self, scene: Scene) -> None:
        headers = (("x-b", "1"), ("x-a", "2"), ("X-B", "3"), ("x-b", "1"), ("x-empty", ""))
        job = await scene.job(headers=headers, tags=("b", "a", "b"), metadata={"z": "1", "a": "2"})
        definition = (await scene.job_now(job)).definition
        assert (definition.headers, definition.tags) == (headers, ("b", "a", "b"))
        assert list(definition.metadata.items()) == [("z", "1"), ("a", "2")]
        assert (await scene.running(job)).headers == headers

    @pytest.mark.parametrize(
        "changes",
        [
            {"retry_policy": RetryPolicy(delays=())},
            {
                "retry_policy": RetryPolicy(
                    delays=[timedelta(seconds=1 + n, milliseconds=250) for n in range(MAX_DELAYS)]
                )
            },
            {"timeout": timedelta(seconds=59.999999)},
            {"callback_url": "https://receiver.example:8443/a%20b?q=%F0%9F%A6%8A&x=1;y=2"},
            {"schedule": CronSchedule("*/5 0-6,8 L jan-mar mon#2", "America/Argentina/Buenos_Aires")},
            {"schedule": OneTimeSchedule(datetime(2030, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC))},
        ],
        ids=["no delays", "many delays", "timeout", "url", "cron", "one-time"],
    )
    async def test_definitions(self, scene: Scene, changes: dict[str, Any]) -> None:
        job = await scene.job(**changes)
        assert await scene.job_now(job) == job
        claim = await scene.running(job)
        assert (claim.retry_policy, claim.timeout) == (job.definition.retry_policy, job.definition.timeout)
        assert claim.callback_url == job.definition.callback_url

    @pytest.mark.parametrize("instant", ODD_INSTANTS, ids=str)
    async def test_instants(self, scene: Scene, instant: datetime) -> None:
        job = await scene.job(created_at=NOW, updated_at=instant, planned_through=instant, next_run=instant)
        stored = await scene.job_now(job)
        assert stored == job
        for read in (stored.updated_at, stored.next_run):
            assert read is not None
            assert read.utcoffset() is not None
        execution = await scene.queued(job, available_at=instant, missed_from=instant)
        assert await scene.now_of(execution) == execution
        [due] = await scene.store.due_jobs(instant, 10)
        assert due.next_run == instant

    @pytest.mark.parametrize("text", HOSTILE_TEXTS)
    @pytest.mark.parametrize(("report", "outcome"), [(retry, Outcome.HTTP_ERROR), (succeeded, Outcome.SUCCEEDED)])
    async def test_results(
        self, scene: Scene, text: str, report: Callable[..., AttemptReport], outcome: Outcome
    ) -> None:
        claim = await scene.running(await scene.job())
        result = make_result(
            outcome,
            error=text,
            response_status=599,
            response_headers=(("x-b", text), ("x-a", ""), ("x-b", text)),
            response_body=text * 40,
            response_truncated=True,
        )
        odd = timedelta(microseconds=1_234_567)
        ended = LATER + timedelta(microseconds=7)
        await scene.store.finish([report(claim, ended, result=result, duration=odd)], LATER)
        [attempt] = await scene.attempts(claim)
        assert (attempt.outcome, attempt.error, attempt.response_status) == (outcome, text, 599)
        assert attempt.response_headers == result.response_headers
        assert (attempt.response_body, attempt.response_truncated) == (text * 40, True)
        assert (attempt.started_at, attempt.finished_at, attempt.duration) == (LATER, ended, odd)

    @pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.RELEASED])
    async def test_outcomes_without_an_answer(self, scene: Scene, outcome: Outcome) -> None:
        claim = await scene.running(await scene.job())
        empty = make_result(outcome, response_status=None, response_headers=(), response_body=None, error=None)
        await scene.store.finish([retry(claim, result=empty)], LATER)
        [attempt] = await scene.attempts(claim)
        assert (attempt.outcome, attempt.error, attempt.response_status) == (outcome, None, None)
        assert (attempt.response_headers, attempt.response_body, attempt.response_truncated) == ((), None, False)

    async def test_a_metadata_map_may_be_empty_and_a_body_too(self, scene: Scene) -> None:
        job = await scene.job(metadata={}, tags=(), headers=())
        assert await scene.job_now(job) == job
        claim = await scene.running(job)
        await scene.store.finish([retry(claim, result=make_result(Outcome.HTTP_ERROR, response_body=""))], LATER)
        assert [attempt.response_body for attempt in await scene.attempts(claim)] == [""]

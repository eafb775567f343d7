"""Secret headers on their way: sealed in the store, plain at the receiver, masked where the receiver repeats them."""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from attrs import evolve

from cronhook_core.domain.execution import Attempt, ExecutionStatus
from cronhook_core.domain.job import JobDefinition
from cronhook_core.domain.sealed_values import is_sealed
from cronhook_core.domain.webhook import RESPONSE_HEADER_STORED_LIMIT, Outcome, WebhookRequest, WebhookResult
from cronhook_core.embedded import Embedded, embedded
from cronhook_core.engine.secret_headers import opened, without_secrets
from cronhook_core.errors import InvalidHeaders
from cronhook_core.testing.builders import NOW, make_definition
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks
from cronhook_core.testing.scripted_sender import Answer, ScriptedSender

SECRET_KEY = "a secret of at least thirty-two characters"
OTHER_KEY = "another secret of thirty-two characters"
CANARY = "Bearer canary-4711"
HEADERS = (("Authorization", CANARY), ("accept", "text/plain"), ("X-Api-Key", "canary-key"))


@asynccontextmanager
async def running(
    sender: ScriptedSender,
    *,
    secret_key: str | None = SECRET_KEY,
    database: Path | None = None,
    clock: ManualClock | None = None,
) -> AsyncIterator[Embedded]:
    hooks = RecordingHooks()
    async with embedded(
        sender, clock=clock, database=database, hooks=hooks, random=Random(1), secret_key=secret_key
    ) as engine:
        yield engine
    assert hooks.named("pass_failed") == []


async def first_attempt(engine: Embedded, job_id: str, clock: ManualClock) -> Attempt:
    execution = await engine.jobs.run(engine.workspace_id, job_id)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:  # a file takes real time: a clock that runs ahead of it would bury the worker
        await clock.advance(0.02)
        await asyncio.sleep(0.02)
        attempts = await engine.jobs.attempts(engine.workspace_id, execution.id)
        if attempts and attempts[0].outcome is not None:
            return attempts[0]
    raise AssertionError("no attempt ended")


def definition() -> JobDefinition:
    return make_definition(headers=HEADERS)


async def test_sealed_in_the_store_and_plain_at_the_receiver() -> None:
    sender, clock = ScriptedSender(), ManualClock(NOW)
    async with running(sender, clock=clock) as engine:
        job = await engine.jobs.create(engine.workspace_id, definition())
        stored = dict((await engine.jobs.get(engine.workspace_id, job.id)).definition.headers)
        await first_attempt(engine, job.id, clock)
    assert is_sealed(stored["Authorization"])
    assert is_sealed(stored["X-Api-Key"])
    assert stored["accept"] == "text/plain"
    assert set(HEADERS) <= set(sender.requests[0].headers)


async def test_nothing_of_it_in_a_repr() -> None:
    sender, clock = ScriptedSender(), ManualClock(NOW)
    async with running(sender, clock=clock) as engine:
        job = await engine.jobs.create(engine.workspace_id, definition())
        await first_attempt(engine, job.id, clock)
    shown = f"{definition()!r} {job!r} {sender.requests!r}"
    assert "canary" not in shown
    assert "'Authorization': '***'" in shown
    assert "'accept': 'text/plain'" in shown


async def test_another_secret_key_is_a_clear_outcome_and_tried_again() -> None:
    sender, clock = ScriptedSender(), ManualClock(NOW)
    async with running(sender, clock=clock) as engine:
        job = await engine.jobs.create(engine.workspace_id, definition())
        stored = (await engine.jobs.get(engine.workspace_id, job.id)).definition

    async with running(sender, secret_key=OTHER_KEY, clock=clock) as engine:
        elsewhere = evolve(job, workspace_id=engine.workspace_id, definition=stored)
        await engine.jobs._store.create_job(elsewhere, max_jobs=None, now=clock.now())
        attempt = await first_attempt(engine, job.id, clock)
        execution = await engine.jobs.execution(engine.workspace_id, attempt.execution_id)
    assert attempt.outcome is Outcome.INTERNAL_ERROR
    assert "'Authorization'" in (attempt.error or "")
    assert "another CRONHOOK_SECRET_KEY encrypted it" in (attempt.error or "")
    assert execution.status is ExecutionStatus.QUEUED, "the right key may come back"
    assert sender.requests == []


async def test_without_a_key_what_is_sealed_is_not_sent() -> None:
    sender, clock = ScriptedSender(), ManualClock(NOW)
    async with running(sender, clock=clock) as engine:
        job = await engine.jobs.create(engine.workspace_id, definition())
    async with running(sender, secret_key=None, clock=clock) as engine:
        await engine.jobs._store.create_job(
            evolve(job, workspace_id=engine.workspace_id), max_jobs=None, now=clock.now()
        )
        attempt = await first_attempt(engine, job.id, clock)
    assert "there is no secret key" in (attempt.error or "")
    assert sender.requests == []


async def test_what_was_stored_plain_is_sent_and_sealed_with_the_next_change() -> None:
    sender, clock = ScriptedSender(), ManualClock(NOW)
    async with running(sender, clock=clock) as engine:
        job = await engine.jobs.create(engine.workspace_id, definition())
        plain = evolve(job, id=job.id[:-1] + "0", definition=definition())
        await engine.jobs._store.create_job(plain, max_jobs=None, now=clock.now())
        await first_attempt(engine, plain.id, clock)
        changed = await engine.jobs.update(engine.workspace_id, plain.id, lambda before: evolve(before, name="new"))
    assert set(HEADERS) <= set(sender.requests[0].headers)
    assert is_sealed(dict(changed.definition.headers)["Authorization"])


async def test_a_change_keeps_what_is_sealed_and_seals_what_is_new() -> None:
    sender, clock = ScriptedSender(), ManualClock(NOW)
    async with running(sender, clock=clock) as engine:
        job = await engine.jobs.create(engine.workspace_id, definition())
        renamed = await engine.jobs.update(engine.workspace_id, job.id, lambda before: evolve(before, name="new"))
        assert renamed.definition.headers == job.definition.headers
        replaced = await engine.jobs.update(
            engine.workspace_id, job.id, lambda before: evolve(before, headers=(("cookie", "canary-new"),))
        )
        assert is_sealed(dict(replaced.definition.headers)["cookie"])
        with pytest.raises(InvalidHeaders):
            await engine.jobs.update(
                engine.workspace_id, job.id, lambda before: evolve(before, headers=job.definition.headers)
            )
        await first_attempt(engine, job.id, clock)
    assert ("cookie", "canary-new") in sender.requests[0].headers


async def test_a_short_secret_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        async with embedded(ScriptedSender(), secret_key="short"):
            pass


@pytest.mark.parametrize("database", [None, "jobs.db"])
async def test_what_the_receiver_repeats_is_masked(tmp_path: Path, database: str | None) -> None:
    """Echo services answer with the request's headers; the log of attempts is stored as it is."""
    answer: Answer = WebhookResult(
        outcome=Outcome.HTTP_ERROR,
        error="the receiver answered 500",
        response_status=500,
        response_headers=(("location", "/?key=canary-key"),),
        response_body=f'{{"authorization": "{CANARY}", "again": "{CANARY}"}}',
    )
    sender, clock = ScriptedSender(answer), ManualClock(NOW)
    async with running(sender, clock=clock, database=tmp_path / database if database else None) as engine:
        job = await engine.jobs.create(engine.workspace_id, definition())
        attempt = await first_attempt(engine, job.id, clock)
    assert attempt.response_body == '{"authorization": "***", "again": "***"}'
    assert attempt.response_headers == (("location", "/?key=***"),)


def test_short_values_are_not_looked_for() -> None:
    result = WebhookResult(outcome=Outcome.SUCCEEDED, response_body="yes, a token")
    assert without_secrets(result, ["a", "yes"]) is result


def test_of_two_secrets_the_longer_is_masked_first() -> None:
    result = WebhookResult(outcome=Outcome.SUCCEEDED, response_body="secret-one secret-one-and-more")
    assert without_secrets(result, ["secret-one", "secret-one-and-more"]).response_body == "*** ***"


BASIC = f"Basic {b64encode(b'user:pass word/4711').decode()}"


@pytest.mark.parametrize(
    ("header", "said", "kept"),
    [
        (("authorization", CANARY), "unknown token canary-4711", "unknown token ***"),
        (("Authorization", BASIC), f"{BASIC}, {BASIC[6:]}", "***, ***"),
        (("authorization", BASIC), "user:pass word/4711 or pass word/4711", "*** or ***"),
        (("authorization", "Basic no base 64"), "no base 64", "***"),
        (("cookie", 'sid=abcdef-1234; theme=dark; t="quoted-4711"'), "abcdef-1234 quoted-4711 dark", "*** *** dark"),
        (("x-auth-token", CANARY), "unknown token canary-4711", "unknown token ***"),
        (("x-api-key", "Token sk-4711-abcdef"), "bad key sk-4711-abcdef", "bad key ***"),
        (("x-api-key", 'key"4711'), json.dumps({"got": 'key"4711'}), '{"got": "***"}'),
        (("x-api-key", "canary/key"), r'{"got": "canary\/key"}', '{"got": "***"}'),
    ],
)
def test_what_of_it_a_receiver_repeats_by_itself_is_masked(header: tuple[str, str], said: str, kept: str) -> None:
    result = WebhookResult(outcome=Outcome.HTTP_ERROR, response_status=401, response_body=said)
    assert without_secrets(result, opened([header], None, "job_1").secrets).response_body == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [("It is canary-k", "It is ***"), ("It is canar", "It is canar"), ("It is canary-key", "It is ***")],
)
def test_the_beginning_of_a_secret_at_the_end_of_what_was_cut_is_masked(said: str, kept: str) -> None:
    result = WebhookResult(outcome=Outcome.SUCCEEDED, response_body=said, response_truncated=True)
    assert without_secrets(result, ["canary-key"]).response_body == kept
    whole = evolve(result, response_body="It is canary-k", response_truncated=False)
    assert without_secrets(whole, ["canary-key"]).response_body == "It is canary-k"


@pytest.mark.parametrize(
    ("secret", "written"),
    [
        ('canary"key/1', r'{"k": "canary\"key\/1"}'),
        ("canary&<key>", r'{"k": "canary\u0026\u003ckey\u003e"}'),
    ],
)
def test_a_secret_is_known_as_any_json_writes_it(secret: str, written: str) -> None:
    secrets = opened([("x-api-key", secret)], None, "job_1").secrets
    result = WebhookResult(outcome=Outcome.HTTP_ERROR, response_body=written)
    assert without_secrets(result, secrets).response_body == '{"k": "***"}'


LONG = "canary/" + "".join(f"{number:03}" for number in range(200))


@pytest.mark.parametrize("name", ["location", "x-request-id"])
@pytest.mark.parametrize(
    ("header", "said"),
    [
        (("authorization", f"Bearer {LONG}"), f"Bearer {LONG}"),
        (("authorization", f"Bearer {LONG}"), LONG),
        (("cookie", f"theme=dark; sid={LONG}"), LONG),
        (("x-api-key", LONG), LONG.replace("/", "\\/")),
    ],
)
def test_the_beginning_of_a_secret_in_a_header_that_was_cut_is_masked(
    name: str, header: tuple[str, str], said: str
) -> None:
    repeated = f"/login?client=canary-key&access_token={said}"[:RESPONSE_HEADER_STORED_LIMIT]
    result = WebhookResult(outcome=Outcome.HTTP_ERROR, response_headers=((name, repeated),))
    secrets = opened([header, ("x-other-key", "canary-key")], None, "job_1").secrets
    assert without_secrets(result, secrets).response_headers == ((name, "/login?client=***&access_token=***"),)


def test_what_a_header_that_is_whole_ends_with_is_no_beginning() -> None:
    result = WebhookResult(outcome=Outcome.HTTP_ERROR, response_headers=(("location", "/canary-k"),))
    assert without_secrets(result, ["canary-key"]) == result


def test_requests_do_not_show_what_they_send() -> None:
    request = WebhookRequest(url="https://good.test/", headers=HEADERS, body=b"", timeout=definition().timeout)
    assert "canary" not in repr(request)

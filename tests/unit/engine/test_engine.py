"""The whole way of a job through the engine, on memory backends and virtual time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from cronhook_core.backends.memory.job_store import MemoryJobStore
from cronhook_core.domain.claim import Claim
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.job import InactiveReason, JobDefinition, JobStatus
from cronhook_core.domain.planning import JobPlan
from cronhook_core.domain.retry_policy import RetryPolicy
from cronhook_core.domain.schedule import CronSchedule, OneTimeSchedule
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.embedded import Embedded, embedded
from cronhook_core.engine.worker import WorkerOptions
from cronhook_core.errors import Conflict, NotFound
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_core.testing.recording_hooks import RecordingHooks
from cronhook_core.testing.scripted_sender import ScriptedSender

URL = "https://receiver.example/hook"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def hooks() -> RecordingHooks:
    return RecordingHooks()


@asynccontextmanager
async def running(sender: ScriptedSender, clock: ManualClock, hooks: RecordingHooks) -> AsyncIterator[Embedded]:
    async with embedded(sender, clock=clock, hooks=hooks, random=Random(1)) as engine:
        await clock.advance(0.5)
        yield engine
    assert hooks.named("pass_failed") == []


def cron(expression: str = "* * * * *", **changes: object) -> JobDefinition:
    return JobDefinition(name="tick", schedule=CronSchedule(expression), callback_url=URL, **changes)  # type: ignore[arg-type]


def once(seconds: float, **changes: object) -> JobDefinition:
    schedule = OneTimeSchedule(NOW + timedelta(seconds=seconds))
    return JobDefinition(name="once", schedule=schedule, callback_url=URL, **changes)  # type: ignore[arg-type]


def delays(*seconds: float) -> RetryPolicy:
    return RetryPolicy(delays=tuple(timedelta(seconds=s) for s in seconds))


async def test_every_minute_is_called_once_a_minute(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, hooks) as engine:
        await engine.jobs.create(engine.workspace_id, cron(payload=b'{"n": 1}'))
        await clock.advance(300)
    assert len(sender.requests) == 5
    assert {request.body for request in sender.requests} == {b'{"n": 1}'}
    headers = dict(sender.requests[0].headers)
    assert headers["cronhook-scheduled-for"] == "2026-03-02T12:01:00Z"
    assert headers["cronhook-attempt"] == "1"
    assert len({dict(request.headers)["webhook-id"] for request in sender.requests}) == 5


async def test_a_one_time_job_fires_at_its_instant_and_is_done(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(5))
        await clock.advance(4.4)
        assert sender.requests == []
        await clock.advance(0.2)
        assert len(sender.requests) == 1
        after = await engine.jobs.get(engine.workspace_id, job.id)
    assert (after.status, after.inactive_reason) == (JobStatus.INACTIVE, InactiveReason.COMPLETED)
    assert (after.next_run, after.last_run, after.last_run_status) == (
        None,
        NOW + timedelta(seconds=5),
        ExecutionStatus.SUCCEEDED,
    )


async def test_a_job_due_at_once_wakes_the_sleeping_planner(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, hooks) as engine:
        await engine.jobs.create(engine.workspace_id, once(0.6))
        await clock.advance(0.11)
        assert len(sender.requests) == 1


async def test_failures_are_retried_after_the_delays_and_logged(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender(500, 503, 200)
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1, retry_policy=delays(10, 100)))
        await clock.advance(200)
        logs, total = await engine.jobs.logs(engine.workspace_id, job.id, oldest_first=True)
    assert total == 3
    assert [attempt.status for attempt in logs] == ["failed", "failed", "succeeded"]
    assert [attempt.response_status for attempt in logs] == [500, 503, 200]
    gaps = [(b.started_at - a.started_at).total_seconds() for a, b in pairwise(logs)]
    assert 9 <= gaps[0] <= 12
    assert 90 <= gaps[1] <= 112
    assert len({dict(request.headers)["webhook-id"] for request in sender.requests}) == 1
    assert [dict(request.headers)["cronhook-attempt"] for request in sender.requests] == ["1", "2", "3"]


async def test_when_the_delays_are_used_up_it_failed(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender(default=500)
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1, retry_policy=delays(5)))
        await clock.advance(30)
        (execution,) = await engine.jobs.executions(engine.workspace_id, job.id, limit=10)
        after = await engine.jobs.get(engine.workspace_id, job.id)
    assert len(sender.requests) == 2
    assert (execution.status, execution.reason) == (ExecutionStatus.FAILED, "retries_exhausted")
    assert after.inactive_reason is InactiveReason.FAILED


async def test_an_outcome_may_be_told_by_its_word(clock: ManualClock, hooks: RecordingHooks) -> None:
    async with running(returning(outcome="succeeded"), clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1))
        await clock.advance(30)
        [execution] = await engine.jobs.executions(engine.workspace_id, job.id, limit=2)
    assert (execution.status, execution.attempts) == (ExecutionStatus.SUCCEEDED, 1)


async def test_a_sender_that_does_not_end_when_it_is_cut_off_is_left_behind(hooks: RecordingHooks) -> None:
    """In real time: leaving takes the drain time, and what sends are given to clean up."""
    clean = asyncio.Event()
    begun = asyncio.Event()

    async def sender(request: WebhookRequest) -> WebhookResult:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await clean.wait()
        raise AssertionError("it was not cut off")

    options = WorkerOptions(drain_timeout=timedelta(0))
    async with asyncio.timeout(30), embedded(sender, hooks=hooks, worker=options) as engine:
        now = datetime.now(UTC)
        definition = JobDefinition(name="once", schedule=OneTimeSchedule(now), callback_url="app:once")
        job = await engine.jobs.create(engine.workspace_id, definition)
        await begun.wait()
        store = engine.jobs
    [attempt] = (await store.logs(engine.workspace_id, job.id))[0]
    assert attempt.outcome is Outcome.INTERRUPTED
    clean.set()


class RaisingHooks(RecordingHooks):
    """Raise once, which they must not."""

    raised = False

    def attempt_started(self, claim: Claim, now: datetime) -> None:
        if not self.raised:
            self.raised = True
            raise RuntimeError("a hook that is broken")


async def test_hooks_that_raise_hold_no_execution_for_ever(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, RaisingHooks()) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1))
        await clock.advance(60)
        [execution] = await engine.jobs.executions(engine.workspace_id, job.id, limit=2)
    assert (execution.status, len(sender.requests)) == (ExecutionStatus.SUCCEEDED, 1)
    assert "a send ended without a report" in caplog.text


async def test_functions_of_a_program_take_turns(hooks: RecordingHooks) -> None:
    """One that hangs leaves slots to the others, as a host does."""
    hanging, called = asyncio.Event(), asyncio.Event()

    async def sender(request: WebhookRequest) -> WebhookResult:
        if request.url == "app:hangs":
            await hanging.wait()
        else:
            called.set()
        return WebhookResult(outcome=Outcome.SUCCEEDED)

    options = WorkerOptions(concurrency=9)
    async with asyncio.timeout(30), embedded(sender, hooks=hooks, worker=options) as engine:
        for url in [*["app:hangs"] * 9, "app:works"]:
            definition = JobDefinition(name=url, schedule=OneTimeSchedule(datetime.now(UTC)), callback_url=url)
            await engine.jobs.create(engine.workspace_id, definition)
        await called.wait()
        hanging.set()


async def test_gone_ends_the_job(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender(default=410)
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, cron())
        await clock.advance(300)
        after = await engine.jobs.get(engine.workspace_id, job.id)
    assert len(sender.requests) == 1
    assert after.inactive_reason is InactiveReason.GONE


async def test_a_sender_that_raises_fails_its_own_attempt_only(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender(RuntimeError("broken"))
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1, retry_policy=delays(5)))
        await clock.advance(30)
        logs, _ = await engine.jobs.logs(engine.workspace_id, job.id, oldest_first=True)
    assert [attempt.outcome for attempt in logs] == [Outcome.INTERNAL_ERROR, Outcome.SUCCEEDED]


async def returns_nothing(request: WebhookRequest) -> None:
    """As somebody writes it who forgets to say what came of it."""


async def is_cancelled_within(request: WebhookRequest) -> None:
    waiting = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0)
    waiting.cancel()
    await waiting


async def cancels_its_task(request: WebhookRequest) -> None:
    """A deadline that is made at home."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(60)


class Aborted(BaseException):
    """As what a test's library raises to fail."""


async def aborts(request: WebhookRequest) -> WebhookResult:
    raise Aborted


async def aborts_in_groups(request: WebhookRequest) -> WebhookResult:
    raise BaseExceptionGroup("all of them", [Aborted()])


def returning(**values: Any) -> Any:
    async def sender(request: WebhookRequest) -> WebhookResult:
        return WebhookResult(**({"outcome": "http_error"} | values))

    return sender


@pytest.mark.parametrize(
    ("sender", "error"),
    [
        (aborts, "Aborted"),
        (aborts_in_groups, "BaseExceptionGroup"),
        (returning(outcome="fine"), "ValueError"),
        (returning(outcome=None), "ValueError"),
        (returning(outcome=Outcome.INTERRUPTED), "outcome of its WebhookResult is Outcome"),
        (returning(outcome=Outcome.LOST), "outcome of its WebhookResult is Outcome"),
        (returning(error=ValueError("no")), "error of its WebhookResult is ValueError"),
        (returning(response_status="200"), "response_status of its WebhookResult is str"),
        (returning(response_status=70_000), "response_status of its WebhookResult is int"),
        (returning(response_headers={"server": "x"}), "response_headers of its WebhookResult is dict"),
        (returning(response_headers=[("server", 1)]), "response_headers of its WebhookResult is list"),
        (returning(response_body=b"ok"), "response_body of its WebhookResult is bytes"),
        (returning(response_truncated="no"), "response_truncated of its WebhookResult is str"),
        (returning(response_status=429, retry_after=5), "retry_after of its WebhookResult is int"),
        (returning(permanent=None), "permanent of its WebhookResult is NoneType"),
        (returns_nothing, "it returned NoneType"),
        (is_cancelled_within, "CancelledError"),
        (cancels_its_task, "CancelledError"),
    ],
)
async def test_a_sender_that_breaks_its_contract_fails_its_own_attempt_only(
    clock: ManualClock, hooks: RecordingHooks, sender: Any, error: str
) -> None:
    """Its execution is not held for ever, and the worker can end."""
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1, retry_policy=delays(5)))
        await clock.advance(30)
        logs, _ = await engine.jobs.logs(engine.workspace_id, job.id)
        [execution] = await engine.jobs.executions(engine.workspace_id, job.id, limit=2)
    assert execution.status is ExecutionStatus.FAILED
    assert [attempt.outcome for attempt in logs] == [Outcome.INTERNAL_ERROR] * 2
    assert error in str(logs[0].error)


async def test_a_deleted_job_never_fires(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, cron())
        await engine.jobs.delete(engine.workspace_id, job.id)
        await clock.advance(180)
        with pytest.raises(NotFound):
            await engine.jobs.get(engine.workspace_id, job.id)
        with pytest.raises(NotFound):
            await engine.jobs.delete(engine.workspace_id, job.id)
    assert sender.requests == []


async def test_a_paused_job_rests_and_resumes_from_now_on(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, cron())
        await engine.jobs.pause(engine.workspace_id, job.id)
        await clock.advance(180)
        assert sender.requests == []
        await engine.jobs.resume(engine.workspace_id, job.id)
        await clock.advance(60)
        (execution,) = await engine.jobs.executions(engine.workspace_id, job.id, limit=10)
    assert len(sender.requests) == 1
    assert execution.missed_count == 0


async def test_no_retry_follows_a_pause(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender(default=500)
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1, retry_policy=delays(5)))
        sender.hold()
        await clock.advance(1)
        await engine.jobs.pause(engine.workspace_id, job.id)
        sender.let_go()
        await clock.advance(60)
        (execution,) = await engine.jobs.executions(engine.workspace_id, job.id, limit=10)
    assert len(sender.requests) == 1
    assert (execution.status, execution.reason) == (ExecutionStatus.CANCELLED, "paused")


async def test_a_paused_job_can_be_run_by_hand(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, cron())
        await engine.jobs.pause(engine.workspace_id, job.id)
        execution = await engine.jobs.run(engine.workspace_id, job.id)
        await clock.advance(1)
        ended = await engine.jobs.execution(engine.workspace_id, execution.id)
        replayed = await engine.jobs.replay(engine.workspace_id, execution.id)
        await clock.advance(1)
    assert (ended.trigger, ended.status) == (Trigger.MANUAL, ExecutionStatus.SUCCEEDED)
    assert replayed.trigger is Trigger.REPLAY
    assert len(sender.requests) == 2


async def test_a_queued_execution_can_be_cancelled_and_a_final_one_cannot(
    clock: ManualClock, hooks: RecordingHooks
) -> None:
    sender = ScriptedSender(500)
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1))
        await clock.advance(2)
        (waiting,) = await engine.jobs.executions(engine.workspace_id, job.id, limit=10)
        cancelled = await engine.jobs.cancel_execution(engine.workspace_id, waiting.id)
        assert cancelled.status is ExecutionStatus.CANCELLED
        with pytest.raises(Conflict):
            await engine.jobs.cancel_execution(engine.workspace_id, waiting.id)
        await clock.advance(120)
    assert len(sender.requests) == 1


async def test_another_schedule_plans_anew(clock: ManualClock, hooks: RecordingHooks) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, hooks) as engine:
        job = await engine.jobs.create(engine.workspace_id, once(1))
        await clock.advance(2)
        changed = await engine.jobs.update(engine.workspace_id, job.id, lambda _: cron("*/5 * * * *"))
        assert changed.status is JobStatus.ACTIVE
        await clock.advance(600)
    assert len(sender.requests) == 3


async def test_what_a_stopping_worker_cuts_off_is_announced_as_interrupted(
    clock: ManualClock, hooks: RecordingHooks
) -> None:
    sender = ScriptedSender()
    sender.hold()
    async with running(sender, clock, hooks) as engine:
        await engine.jobs.create(engine.workspace_id, once(1))
        await clock.advance(2)
        await engine.worker.stop(at_once=True)
    ((verdicts, _),) = hooks.named("executions_interrupted")
    assert hooks.named("executions_lost") == []
    assert isinstance(verdicts, tuple)
    assert [(v.attempt_no, v.accepted, v.status) for v in verdicts] == [(1, True, ExecutionStatus.QUEUED)]


async def test_a_herd_is_sent_with_bounded_concurrency_and_nothing_is_lost(
    clock: ManualClock, hooks: RecordingHooks
) -> None:
    sender = ScriptedSender()
    async with running(sender, clock, hooks) as engine:
        for _ in range(2000):
            await engine.jobs.create(engine.workspace_id, once(10))
        await clock.advance(15)
    assert len({dict(request.headers)["webhook-id"] for request in sender.requests}) == 2000
    assert len(sender.requests) == 2000


async def test_of_a_herd_a_few_are_planned_first_so_that_workers_begin_soon(
    clock: ManualClock, hooks: RecordingHooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    plan = MemoryJobStore.plan

    async def noted(store: MemoryJobStore, plans: Sequence[JobPlan], now: datetime) -> Sequence[str]:
        steps.append(len(plans))
        return await plan(store, plans, now)

    monkeypatch.setattr(MemoryJobStore, "plan", noted)
    async with running(ScriptedSender(), clock, hooks) as engine:
        for _ in range(2000):
            await engine.jobs.create(engine.workspace_id, once(10))
        await clock.advance(15)
    assert steps == [50, 100, 200, 400, 500, 500, 250]

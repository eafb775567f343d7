from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random

import pytest

from cronhook_core.domain.claim import MAX_CLAIM_BYTES, AttemptReport, Claim, ClaimRef, Verdict
from cronhook_core.domain.execution import ExecutionStatus, Trigger
from cronhook_core.domain.retry_policy import GiveUp, RetryPolicy, Succeed
from cronhook_core.engine.availability import Dependency
from cronhook_core.engine.result_writer import GROUP, ResultWriter
from cronhook_core.errors import StoreBusy, StoreUnavailable
from cronhook_core.testing.builders import NOW, gone, make_id, make_result, retry, succeeded
from cronhook_core.testing.manual_clock import ManualClock, settle
from cronhook_core.testing.recording_hooks import RecordingHooks


def make_claim() -> Claim:
    return Claim(
        execution_id=make_id("exe"),
        attempt_no=1,
        job_id=make_id("job"),
        workspace_id="wsp_1",
        host="receiver.example",
        trigger=Trigger.SCHEDULE,
        scheduled_for=NOW,
        retries_used=0,
        losses=0,
        callback_url="https://receiver.example/",
        headers=(),
        payload=b"null",
        timeout=timedelta(seconds=10),
        retry_policy=RetryPolicy(),
    )


class Store:
    """Takes results, in ``writes``; can be away, or for failures only, and refuses a body that says so.

    The jobs ``locked`` are held by somebody else; results of the jobs ``busy`` take too long.
    """

    def __init__(self) -> None:
        self.writes: list[list[AttemptReport]] = []
        self.away = False
        self.away_for_failures = False
        self.locked: set[str] = set()
        self.busy: set[str] = set()
        self.calls = 0

    async def finish(self, reports: Sequence[AttemptReport], now: datetime) -> Sequence[Verdict]:
        self.calls += 1
        failures = [report for report in reports if report.decision != Succeed()]
        if self.away or (self.away_for_failures and failures):
            raise StoreUnavailable("the database is away")
        if self.busy & {report.job_id for report in reports}:
            raise StoreBusy("it took too long")
        if any(report.result.response_body == "unstorable" for report in reports):
            raise ValueError("cannot store this")
        self.writes.append([report for report in reports if report.job_id not in self.locked])
        return [
            Verdict(
                execution_id=report.execution_id,
                attempt_no=report.attempt_no,
                accepted=report.job_id not in self.locked,
                locked=report.job_id in self.locked,
                status=ExecutionStatus.SUCCEEDED,
            )
            for report in reports
        ]

    async def claim(
        self,
        execution_ids: Sequence[str],
        *,
        worker_id: str,
        now: datetime,
        with_suspect: bool = True,
        max_bytes: int = MAX_CLAIM_BYTES,
    ) -> Sequence[Claim]:
        return ()

    async def release(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        return ()

    async def lose(self, refs: Sequence[ClaimRef], now: datetime) -> Sequence[Verdict]:
        return ()

    async def running(self, worker_id: str) -> Sequence[ClaimRef]:
        return ()


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.store = Store()
        self.hooks = RecordingHooks()
        self.settled: list[Claim] = []
        self.writer = ResultWriter(
            self.store,
            clock=self.clock,
            hooks=self.hooks,
            database=Dependency("database", self.hooks, Random(1)),
            on_written=self.settled.append,
        )
        self.writer.start()

    def put(self, body: str = "ok") -> Claim:
        claim = make_claim()
        self.writer.put(claim, succeeded(claim, result=make_result(response_body=body)))
        return claim

    def put_all(self, report: Callable[[Claim], AttemptReport], count: int) -> list[Claim]:
        claims = [make_claim() for _ in range(count)]
        for claim in claims:
            self.writer.put(claim, report(claim))
        return claims


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    await settle()
    return bench


async def test_an_idle_writer_writes_at_once(bench: Bench) -> None:
    claim = bench.put()
    await bench.writer.written()
    assert bench.settled == [claim]
    assert bench.clock.now() == NOW
    await bench.writer.stop()


async def test_results_that_come_together_are_written_together(bench: Bench) -> None:
    claims = [bench.put() for _ in range(20)]
    await bench.writer.written()
    assert [len(write) for write in bench.store.writes] == [20]
    assert bench.settled == claims
    await bench.writer.stop()


async def test_no_write_is_larger_than_a_group(bench: Bench) -> None:
    for _ in range(2 * GROUP + 10):
        bench.put()
    await bench.clock.advance(1)
    assert [len(write) for write in bench.store.writes] == [GROUP, GROUP, 10]
    await bench.writer.stop()


async def test_results_are_kept_while_the_database_is_away(bench: Bench) -> None:
    bench.store.away = True
    bench.put()
    await bench.clock.advance(30)
    assert bench.settled == []
    bench.store.away = False
    await bench.clock.advance(2)
    assert len(bench.settled) == 1
    assert bench.hooks.named("dependency_changed") == [("database", False), ("database", True)]
    await bench.writer.stop()


async def test_successes_are_written_once_although_the_failures_beside_them_have_to_wait(bench: Bench) -> None:
    bench.store.away_for_failures = True
    first, failed = bench.put(), make_claim()
    bench.writer.put(failed, retry(failed))
    second = bench.put()
    await bench.clock.advance(5)
    assert bench.settled == [first, second]
    bench.store.away_for_failures = False
    await bench.clock.advance(2)
    assert bench.settled == [first, second, failed]
    assert [len(write) for write in bench.store.writes] == [2, 1]
    await bench.writer.stop()


async def test_an_answer_that_cannot_be_stored_holds_up_nobody(bench: Bench) -> None:
    bench.put()
    bench.put("unstorable")
    bench.put()
    await bench.writer.written()
    assert [report.result.response_body for write in bench.store.writes for report in write] == ["ok", None, "ok"]
    assert len(bench.settled) == 3
    await bench.writer.stop()


async def test_what_is_locked_goes_behind_the_rest_and_is_written_once_it_can_be(bench: Bench) -> None:
    held = bench.put_all(retry, 400)
    bench.store.locked = {claim.job_id for claim in held}
    await bench.clock.advance(5)
    others = bench.put_all(retry, 20) + bench.put_all(succeeded, 20)
    await bench.clock.advance(0.5)
    assert {claim.execution_id for claim in bench.settled} == {claim.execution_id for claim in others}
    assert bench.store.calls < 5.5 * 30  # two groups of what is locked, ten times a second
    bench.store.locked.clear()
    await bench.clock.advance(1)
    assert len(bench.settled) == 440
    assert bench.hooks.named("dependency_changed") == []
    await bench.writer.stop()


@pytest.mark.parametrize("report", [retry, succeeded, gone])
async def test_a_group_that_takes_too_long_is_written_one_by_one(
    bench: Bench, report: Callable[[Claim], AttemptReport]
) -> None:
    claims = bench.put_all(report, 30)
    bench.store.busy = {claims[7].job_id}
    await bench.clock.advance(1)
    assert bench.settled == [*claims[:7], *claims[8:]]
    assert bench.hooks.named("dependency_changed") == []
    bench.store.busy.clear()
    await bench.clock.advance(1)
    assert bench.settled == [*claims[:7], *claims[8:], claims[7]]
    await bench.writer.stop()


async def test_nobody_waits_for_the_end_of_a_job_that_takes_long(bench: Bench) -> None:
    """All that is queued of it is cancelled with it."""
    finish = bench.store.finish

    async def slowly(reports: Sequence[AttemptReport], now: datetime) -> Sequence[Verdict]:
        if any(report.decision == GiveUp(reason="gone", gone=True) for report in reports):
            await bench.clock.sleep(5)
            raise StoreBusy("it took too long")
        return await finish(reports, now)

    bench.store.finish = slowly
    bench.put_all(gone, 1)
    await bench.clock.advance(1)
    others = bench.put_all(retry, 3) + bench.put_all(succeeded, 3)
    await bench.clock.advance(0.1)
    assert set(bench.settled) == set(others)
    assert bench.hooks.named("dependency_changed") == []
    await bench.writer.stop()

"""One key's requests wait for its budget of time; those of others do not notice."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen

from cronhook_core.errors import RateLimited
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock, settle
from cronhook_server.cpu_budgets import (
    BURST_SECONDS,
    MOST_PAID_OFF_SECONDS,
    STEP_SECONDS,
    WAIT_SECONDS,
    CpuBudgets,
    CpuMeter,
)
from cronhook_server.request_scope import CALLER, Receive, Scope, Send

SHARE = 0.25


def budgets(clock: ManualClock) -> CpuBudgets:
    return CpuBudgets(share=SHARE, now=clock.monotonic, sleep=clock.sleep)


def compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def test_a_key_that_was_idle_may_take_its_burst_at_once() -> None:
    cpu = budgets(ManualClock(NOW))
    await cpu.turn("key_a")
    cpu.spend("key_a", BURST_SECONDS)
    await asyncio.wait_for(cpu.turn("key_a"), 1)


async def test_an_overdrawn_key_waits_until_it_has_earned_it_and_others_do_not() -> None:
    clock = ManualClock(NOW)
    cpu = budgets(clock)
    cpu.spend("key_a", BURST_SECONDS + 0.1)
    waiting = asyncio.create_task(cpu.turn("key_a"))
    await clock.until_sleeping()
    await asyncio.wait_for(cpu.turn("key_b"), 1)
    await clock.advance(0.1 / SHARE - 0.01)
    assert not waiting.done()
    await clock.advance(0.02)
    assert waiting.done()


async def test_requests_that_wait_together_are_let_through_one_by_one() -> None:
    clock = ManualClock(NOW)
    cpu = budgets(clock)
    cpu.spend("key_a", BURST_SECONDS)
    done = []

    async def request(number: int) -> None:
        await cpu.turn("key_a")
        cpu.spend("key_a", 0.1)
        done.append(number)

    requests = [asyncio.create_task(request(number)) for number in range(4)]
    await settle()
    for count in range(1, 5):
        assert done == list(range(count))
        await clock.advance(0.1 / SHARE + 0.001)
    await asyncio.gather(*requests)


async def test_a_step_that_took_very_long_is_paid_off_soon() -> None:
    clock = ManualClock(NOW)
    cpu = budgets(clock)
    cpu.spend("key_a", 60)
    waiting = asyncio.create_task(cpu.turn("key_a"))
    await settle()
    await clock.advance(MOST_PAID_OFF_SECONDS + 0.001)
    assert waiting.done()
    await waiting


async def test_who_would_wait_too_long_in_line_is_refused_and_told_when_to_come_back() -> None:
    clock = ManualClock(NOW)
    cpu = budgets(clock)
    cpu.spend("key_a", BURST_SECONDS + 0.1)

    async def request() -> None:
        await cpu.turn("key_a")
        cpu.spend("key_a", 0.1)

    requests = [asyncio.create_task(request()) for _ in range(100)]
    await settle()
    await clock.advance(WAIT_SECONDS)
    ended = await asyncio.gather(*requests, return_exceptions=True)
    refused = [error for error in ended if isinstance(error, RateLimited)]
    assert ended.count(None) == int(WAIT_SECONDS / (0.1 / SHARE))
    assert len(refused) == 100 - ended.count(None)
    assert "too much processing time" in str(refused[0])
    assert refused[0].retry_after.total_seconds() >= 1


async def test_computing_step_by_step_lets_others_go_on() -> None:
    cpu = CpuBudgets(share=1.0)
    turns_of_others = 0

    async def others() -> None:
        nonlocal turns_of_others
        while True:
            await asyncio.sleep(0)
            turns_of_others += 1

    def steps() -> Iterator[int]:
        for number in range(20):
            compute(STEP_SECONDS / 2)
            yield number

    going_on = asyncio.create_task(others())
    assert await cpu.each("key_a", steps()) == list(range(20))
    going_on.cancel()
    assert turns_of_others >= 6


async def test_what_runs_in_a_thread_is_paid_for() -> None:
    clock = ManualClock(NOW)
    cpu = budgets(clock)
    cpu.spend("key_a", BURST_SECONDS)
    await cpu.in_thread("key_a", compute, 0.02)
    waiting = asyncio.create_task(cpu.turn("key_a"))
    await clock.until_sleeping()
    await clock.advance(0.2 / SHARE)
    await waiting


class TestMetering:
    """What an application's steps take, before and after its key is known."""

    async def test_all_steps_are_paid_for(self) -> None:
        spent: list[tuple[str, float]] = []

        class Recorded(CpuBudgets):
            def spend(self, key_id: str, seconds: float) -> None:
                spent.append((key_id, seconds))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            compute(0.01)
            await asyncio.sleep(0)
            scope[CALLER] = _Caller(id="key_a")
            compute(0.01)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
            compute(0.01)

        await CpuMeter(app, Recorded(share=SHARE))({}, _never, _never)
        assert {key_id for key_id, _ in spent} == {"key_a"}
        assert sum(seconds for _, seconds in spent) >= 0.03

    async def test_errors_and_cancellation_pass(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError("seen")

        request = asyncio.ensure_future(CpuMeter(app, CpuBudgets(share=SHARE))({}, _never, _never))
        await settle()
        request.cancel()
        with pytest.raises(ValueError, match="seen"):
            await request


async def _never(*_: Any) -> Any:
    raise AssertionError("it was not to be called")


@frozen
class _Caller:
    id: str

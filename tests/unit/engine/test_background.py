import asyncio
from contextlib import suppress

import pytest

from cronhook_core.engine.background import BUSY_PAUSE, ERROR_PAUSE, BackgroundLoop, until_round
from cronhook_core.errors import StoreBusy
from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock, settle
from cronhook_core.testing.recording_hooks import RecordingHooks


class Passes:
    """A pass that counts itself, pauses for ``pause`` seconds, and can be held or made to fail."""

    def __init__(self, pause: float = 10.0) -> None:
        self.count = 0
        self.pause = pause
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.ended = 0

    async def run_once(self) -> float:
        self.count += 1
        if self.error is not None:
            raise self.error
        await self.gate.wait()
        self.ended += 1
        return self.pause


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def passes() -> Passes:
    return Passes()


@pytest.fixture
def loop(clock: ManualClock, passes: Passes) -> BackgroundLoop:
    return BackgroundLoop("test", passes.run_once, clock=clock, hooks=RecordingHooks())


async def test_passes_follow_each_other_after_their_pauses(
    loop: BackgroundLoop, passes: Passes, clock: ManualClock
) -> None:
    loop.start()
    loop.start()
    await clock.advance(25)
    assert passes.count == 3
    await loop.stop()


async def test_wake_cuts_the_pause_short(loop: BackgroundLoop, passes: Passes, clock: ManualClock) -> None:
    loop.start()
    await clock.until_sleeping()
    loop.wake()
    await settle()
    assert passes.count == 2
    await loop.stop()


async def test_a_wake_during_a_pass_is_not_lost(loop: BackgroundLoop, passes: Passes) -> None:
    passes.gate.clear()
    loop.start()
    await settle()
    loop.wake()
    passes.gate.set()
    await settle()
    assert passes.count == 2
    await loop.stop()


async def test_stop_lets_the_pass_under_way_end(loop: BackgroundLoop, passes: Passes) -> None:
    passes.gate.clear()
    loop.start()
    await settle()
    stopping = asyncio.ensure_future(loop.stop())
    await settle()
    assert not stopping.done()
    passes.gate.set()
    await stopping
    await loop.stop()
    assert (passes.count, passes.ended) == (1, 1)


async def test_a_stopped_loop_does_not_start_again(loop: BackgroundLoop, passes: Passes) -> None:
    await loop.stop()
    loop.start()
    await settle()
    assert passes.count == 0


async def test_abort_cuts_the_pass_under_way(loop: BackgroundLoop, passes: Passes) -> None:
    passes.gate.clear()
    loop.start()
    await settle()
    await loop.abort()
    assert (passes.count, passes.ended) == (1, 0)


async def test_a_pass_that_meets_a_lock_is_announced_as_that_and_made_again_soon(
    passes: Passes, clock: ManualClock
) -> None:
    hooks = RecordingHooks()
    loop = BackgroundLoop("test", passes.run_once, clock=clock, hooks=hooks)
    passes.error = StoreBusy("a lock timeout")
    loop.start()
    await clock.advance(BUSY_PAUSE)
    assert hooks.named("store_busy") == [("test", passes.error)] * 2
    assert hooks.named("pass_failed") == []
    await loop.abort()


async def test_a_pass_that_raises_is_announced_and_the_loop_goes_on(passes: Passes, clock: ManualClock) -> None:
    hooks = RecordingHooks()
    loop = BackgroundLoop("test", passes.run_once, clock=clock, hooks=hooks)
    passes.error = RuntimeError("unforeseen")
    loop.start()
    await clock.until_sleeping()
    passes.error = None
    await clock.advance(ERROR_PAUSE)
    assert passes.ended == 1
    assert [event[0] for event in hooks.events] == ["pass_failed"]
    await loop.stop()


async def test_a_pause_that_fails_is_announced_and_costs_the_time_of_an_error(
    passes: Passes, clock: ManualClock
) -> None:
    async def fail(_: float) -> None:
        raise RuntimeError("unforeseen")

    hooks = RecordingHooks()
    loop = BackgroundLoop("test", passes.run_once, clock=clock, hooks=hooks, wait=fail)
    loop.start()
    await clock.advance(3.5 * ERROR_PAUSE)
    assert passes.count == 4
    assert [event[0] for event in hooks.events] == ["pass_failed"] * 4
    await loop.abort()


async def test_an_abort_that_comes_with_a_wake_ends_the_loop(
    loop: BackgroundLoop, passes: Passes, clock: ManualClock
) -> None:
    loop.start()
    await clock.until_sleeping()
    loop.wake()
    loop.wake()
    await loop.abort()
    assert passes.count == 1
    loop.wake()


async def test_a_wait_that_swallows_its_cancellation_leaves_no_trace(clock: ManualClock) -> None:
    """A wake cancels the loop's own task: were that counted on, timeouts in later passes would not work."""
    cancelled: list[int] = []

    async def run_once() -> float:
        task = asyncio.current_task()
        cancelled.append(0 if task is None else task.cancelling())
        return 10.0

    async def wait(seconds: float) -> None:
        with suppress(asyncio.CancelledError):
            await clock.sleep(seconds)

    loop = BackgroundLoop("test", run_once, clock=clock, hooks=RecordingHooks(), wait=wait)
    loop.start()
    for _ in range(3):
        await clock.until_sleeping()
        loop.wake()
        await settle()
    assert cancelled == [0, 0, 0, 0]
    await loop.stop()


async def test_a_wake_from_within_the_wait_lets_it_end(clock: ManualClock) -> None:
    passes = Passes()

    async def wait(seconds: float) -> None:
        loop.wake()
        await clock.sleep(seconds)

    loop = BackgroundLoop("test", passes.run_once, clock=clock, hooks=RecordingHooks(), wait=wait)
    loop.start()
    await clock.advance(25)
    assert passes.count == 3
    await loop.stop()


@pytest.mark.parametrize(
    ("moment", "interval", "seconds"),
    [
        (0.0, 1.0, 1.0),
        (7.25, 1.0, 0.75),
        (7.001, 1.0, 0.999),
        (6.95, 1.0, 0.05),
        (6.999, 1.0, 1.001),
        (6.5, 2.0, 1.5),
        (0.6, 0.3, 0.3),
    ],
)
def test_what_looks_every_so_often_looks_at_multiples_of_that(moment: float, interval: float, seconds: float) -> None:
    assert until_round(moment, interval) == pytest.approx(seconds)


def test_no_two_looks_follow_at_once_whatever_floats_are_rounded_to() -> None:
    moment = 123_456.7
    for _ in range(10_000):
        pause = until_round(moment, 0.3)
        assert 0.003 < pause < 0.304
        moment += pause

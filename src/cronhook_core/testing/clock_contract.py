from __future__ import annotations

import asyncio
from datetime import timedelta

from cronhook_core.ports.clock import Clock
from cronhook_core.testing.elapsing import Elapse, let_finish, soon


class ClockContract:
    """What every `Clock` keeps.

    The subclass provides the fixtures ``clock``, ``other_clock`` (as another node of the same installation has it) and
    ``elapse`` (see `Elapse`). ``agreement`` is how many seconds nodes may be apart, ``resolution`` the least number of
    seconds that the clock tells apart.
    """

    agreement = 0.0
    resolution = 1e-6

    async def test_now_is_an_aware_instant_in_utc(self, clock: Clock) -> None:
        assert clock.now().utcoffset() == timedelta(0)

    async def test_now_moves_as_time_goes_by(self, clock: Clock, elapse: Elapse) -> None:
        before = clock.now()
        await elapse(0.1)
        assert clock.now() - before >= timedelta(seconds=0.1 - self.agreement - self.resolution)

    async def test_all_nodes_agree_on_now(self, clock: Clock, other_clock: Clock) -> None:
        before, there, after = clock.now(), other_clock.now(), clock.now()
        apart = timedelta(seconds=self.agreement)
        assert before - apart <= there <= after + apart

    async def test_monotonic_counts_seconds(self, clock: Clock, elapse: Elapse) -> None:
        before = clock.monotonic()
        await elapse(0.1)
        assert clock.monotonic() - before >= 0.1 - self.resolution

    async def test_monotonic_never_goes_back(self, clock: Clock, elapse: Elapse) -> None:
        seen = []
        for _ in range(100):
            seen.append(clock.monotonic())
            await elapse(0.0001)
        assert seen == sorted(seen)

    async def test_sleep_returns_after_its_time_and_not_before(self, clock: Clock, elapse: Elapse) -> None:
        async def sleep() -> float:
            before = clock.monotonic()
            await clock.sleep(0.2)
            return clock.monotonic() - before

        slept = await let_finish(asyncio.create_task(sleep()), elapse, at_most=5.0)
        assert slept >= 0.2 - self.resolution

    async def test_sleepers_wake_in_the_order_of_their_deadlines(self, clock: Clock, elapse: Elapse) -> None:
        woken: list[float] = []

        async def sleep(seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append(seconds)

        tasks = [asyncio.create_task(sleep(seconds)) for seconds in (0.3, 0.1, 0.2)]
        await let_finish(tasks[0], elapse, at_most=5.0)
        assert woken == [0.1, 0.2, 0.3]

    async def test_sleeping_for_nothing_gives_others_a_turn(self, clock: Clock) -> None:
        for seconds in (0.0, -1.0):
            others_turn = asyncio.create_task(asyncio.sleep(0))
            await soon(asyncio.create_task(clock.sleep(seconds)))
            assert others_turn.done()

    async def test_sleep_can_be_cancelled(self, clock: Clock, elapse: Elapse) -> None:
        sleeping = asyncio.create_task(clock.sleep(3600))
        await elapse(0.01)
        sleeping.cancel()
        await asyncio.wait([sleeping])
        assert sleeping.cancelled()

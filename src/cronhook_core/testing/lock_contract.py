from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from cronhook_core.ports.clock import Clock
from cronhook_core.ports.lock import Held, Lease, Lock
from cronhook_core.testing.elapsing import Elapse, let_finish, soon

LONG = timedelta(minutes=10)


class LockContract:
    """What every `Lock` keeps.

    The subclass provides the fixtures ``lock``, ``other_lock`` (the same locks as another node sees them; one object
    where there is one process only), ``clock`` (the nodes' time) and ``elapse`` (see `Elapse`). ``ttl`` is the life of
    most leases: as short as the backend's time allows. ``time_resolution`` is how exactly it counts.
    """

    ttl = timedelta(seconds=1)
    time_resolution = timedelta(milliseconds=1)

    @pytest.fixture
    async def lease(self, lock: Lock, clock: Clock) -> Lease:
        """A lease of ``leader`` that lasts for ``ttl``."""
        return await taken(lock, clock, self.ttl)

    async def test_a_free_lock_is_taken(self, lock: Lock, clock: Clock) -> None:
        lease = await lock.acquire("leader", self.ttl, clock.now())
        assert isinstance(lease, Lease)
        assert lease.name == "leader"

    async def test_a_held_lock_says_how_long_at_most(self, lock: Lock, other_lock: Lock, clock: Clock) -> None:
        await taken(lock, clock, LONG)
        for node in (lock, other_lock):
            answer = await node.acquire("leader", self.ttl, clock.now())
            assert isinstance(answer, Held)
            assert LONG - timedelta(minutes=1) < answer.remaining <= LONG

    async def test_what_remains_shrinks_as_time_goes_by(self, lock: Lock, clock: Clock, elapse: Elapse) -> None:
        await taken(lock, clock, LONG)
        await elapse(0.1)
        answer = await lock.acquire("leader", LONG, clock.now())
        assert isinstance(answer, Held)
        assert answer.remaining <= LONG - timedelta(seconds=0.1) + self.time_resolution

    async def test_being_refused_does_not_lengthen_the_lease(self, lock: Lock, clock: Clock) -> None:
        await taken(lock, clock, self.ttl)
        for _ in range(2):
            answer = await lock.acquire("leader", LONG, clock.now())
            assert isinstance(answer, Held)
            assert answer.remaining <= self.ttl + self.time_resolution

    async def test_names_are_independent(self, lock: Lock, clock: Clock) -> None:
        first = await taken(lock, clock, LONG)
        second = await lock.acquire("another", LONG, clock.now())
        assert isinstance(second, Lease)
        await lock.release(second, clock.now())
        assert await lock.renew(first, LONG, clock.now())

    async def test_every_acquisition_has_its_own_token(self, lock: Lock, clock: Clock) -> None:
        tokens = set()
        for _ in range(5):
            lease = await taken(lock, clock, self.ttl)
            tokens.add(lease.token)
            await lock.release(lease, clock.now())
        assert len(tokens) == 5

    async def test_a_lease_ends_by_itself(
        self, lock: Lock, other_lock: Lock, lease: Lease, clock: Clock, elapse: Elapse
    ) -> None:
        await elapse(self._life())
        assert isinstance(await other_lock.acquire("leader", self.ttl, clock.now()), Lease)

    async def test_a_renewed_lease_ends_later(
        self, lock: Lock, other_lock: Lock, lease: Lease, clock: Clock, elapse: Elapse
    ) -> None:
        await elapse(self._life() * 0.6)
        assert await lock.renew(lease, self.ttl, clock.now())
        await elapse(self._life() * 0.6)
        assert isinstance(await other_lock.acquire("leader", self.ttl, clock.now()), Held)
        await elapse(self._life() * 0.6)
        assert isinstance(await other_lock.acquire("leader", self.ttl, clock.now()), Lease)

    async def test_renewing_may_bring_the_end_forward(self, lock: Lock, clock: Clock, elapse: Elapse) -> None:
        lease = await taken(lock, clock, LONG)
        assert await lock.renew(lease, self.ttl, clock.now())
        await elapse(self._life())
        assert isinstance(await lock.acquire("leader", self.ttl, clock.now()), Lease)

    async def test_an_ended_lease_cannot_be_renewed(
        self, lock: Lock, lease: Lease, clock: Clock, elapse: Elapse
    ) -> None:
        await elapse(self._life())
        assert not await lock.renew(lease, self.ttl, clock.now())
        assert isinstance(await lock.acquire("leader", self.ttl, clock.now()), Lease)

    async def test_a_released_lease_cannot_be_renewed(self, lock: Lock, lease: Lease, clock: Clock) -> None:
        await lock.release(lease, clock.now())
        assert not await lock.renew(lease, self.ttl, clock.now())

    async def test_the_former_holder_disturbs_nobody(
        self, lock: Lock, other_lock: Lock, lease: Lease, clock: Clock, elapse: Elapse
    ) -> None:
        await elapse(self._life())
        current = await taken(other_lock, clock, LONG)
        assert not await lock.renew(lease, self.ttl, clock.now())
        await lock.release(lease, clock.now())
        assert isinstance(await lock.acquire("leader", self.ttl, clock.now()), Held)
        assert await other_lock.renew(current, LONG, clock.now())

    async def test_a_released_lock_is_free_at_once(self, lock: Lock, other_lock: Lock, clock: Clock) -> None:
        lease = await taken(lock, clock, LONG)
        await lock.release(lease, clock.now())
        assert isinstance(await other_lock.acquire("leader", self.ttl, clock.now()), Lease)

    async def test_releasing_twice_is_harmless(self, lock: Lock, other_lock: Lock, clock: Clock) -> None:
        lease = await taken(lock, clock, LONG)
        await lock.release(lease, clock.now())
        await lock.release(lease, clock.now())
        current = await taken(other_lock, clock, LONG)
        await lock.release(lease, clock.now())
        assert await other_lock.renew(current, LONG, clock.now())

    async def test_a_release_wakes_all_who_wait(
        self, lock: Lock, other_lock: Lock, clock: Clock, elapse: Elapse
    ) -> None:
        lease = await taken(lock, clock, LONG)
        waiting = [
            asyncio.create_task(node.wait_released("leader", LONG), name="a follower")
            for node in (lock, other_lock, other_lock)
        ]
        await elapse(0.2)
        assert not any(task.done() for task in waiting)
        await lock.release(lease, clock.now())
        for task in waiting:
            await let_finish(task, elapse, at_most=2.0)

    async def test_another_names_release_wakes_nobody(self, lock: Lock, clock: Clock, elapse: Elapse) -> None:
        await taken(lock, clock, LONG)
        other = await lock.acquire("another", LONG, clock.now())
        assert isinstance(other, Lease)
        waiting = asyncio.create_task(lock.wait_released("leader", LONG))
        await elapse(0.2)
        await lock.release(other, clock.now())
        await elapse(0.2)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])

    async def test_waiting_ends_after_its_timeout(self, lock: Lock, clock: Clock, elapse: Elapse) -> None:
        await taken(lock, clock, LONG)
        before = clock.monotonic()
        await let_finish(asyncio.create_task(lock.wait_released("leader", timedelta(seconds=0.3))), elapse, at_most=5.0)
        assert clock.monotonic() - before >= 0.3 - self.time_resolution.total_seconds()

    async def test_waiting_for_nothing_returns_at_once(self, lock: Lock, clock: Clock) -> None:
        await taken(lock, clock, LONG)
        await soon(asyncio.create_task(lock.wait_released("leader", timedelta(0))))

    async def test_a_cancelled_wait_leaves_the_lock_as_it_was(
        self, lock: Lock, other_lock: Lock, clock: Clock, elapse: Elapse
    ) -> None:
        lease = await taken(lock, clock, LONG)
        waiting = asyncio.create_task(other_lock.wait_released("leader", LONG))
        await elapse(0.1)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert await lock.renew(lease, LONG, clock.now())

    async def test_of_eight_who_race_one_gets_the_lease(self, lock: Lock, other_lock: Lock, clock: Clock) -> None:
        for _ in range(10):
            answers = await asyncio.gather(
                *((lock, other_lock)[number % 2].acquire("leader", LONG, clock.now()) for number in range(8))
            )
            leases = [answer for answer in answers if isinstance(answer, Lease)]
            assert len(leases) == 1
            await lock.release(leases[0], clock.now())

    async def test_of_eight_who_race_for_an_ended_lease_one_gets_it(
        self, lock: Lock, other_lock: Lock, lease: Lease, clock: Clock, elapse: Elapse
    ) -> None:
        await elapse(self._life())
        answers = await asyncio.gather(
            lock.renew(lease, LONG, clock.now()),
            *((lock, other_lock)[number % 2].acquire("leader", LONG, clock.now()) for number in range(8)),
        )
        assert answers[0] is False
        assert sum(isinstance(answer, Lease) for answer in answers) == 1

    def _life(self) -> float:
        """Seconds after which a lease of ``ttl`` has surely ended."""
        return (self.ttl + 10 * self.time_resolution).total_seconds()


async def taken(lock: Lock, clock: Clock, ttl: timedelta) -> Lease:
    """The lease of ``leader``, which is free."""
    lease = await lock.acquire("leader", ttl, clock.now())
    assert isinstance(lease, Lease)
    return lease

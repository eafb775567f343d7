"""One node leads at a time; that saves work and is never needed for correctness."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from attrs import frozen

from cronhook_core.engine.availability import Dependency
from cronhook_core.engine.background import until_round
from cronhook_core.errors import LockUnavailable
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.lock import Lease, Lock

LOCK_NAME = "scheduler"
ANSWER_WITHIN = 0.5
"""Seconds after which a lock that was asked and says nothing counts as one that cannot be reached."""


@frozen(kw_only=True)
class LeaseTimes:
    """``ttl`` is the life of a lease, ``renewals`` how often it is renewed within it; a tenth is kept off its end."""

    ttl: timedelta = timedelta(seconds=1.5)
    renewals: int = 5

    @property
    def renew_every(self) -> float:
        """Seconds."""
        return self.ttl.total_seconds() / self.renewals

    @property
    def trusted_for(self) -> float:
        """Seconds from the request that was granted."""
        return self.ttl.total_seconds() * 0.9


class Leadership:
    """Takes, renews and gives back the leader's lease.

    The holder trusts itself only until its own monotonic time before the last granted request, plus the lease's life
    less a margin. `keep` is called beside planning, so that a lock that does not answer holds up no plan. ``unfit``
    says why this node must not lead now, or None: a node whose planning hangs gives the lease back.
    """

    def __init__(
        self,
        lock: Lock,
        *,
        clock: Clock,
        hooks: EngineHooks,
        dependency: Dependency,
        times: LeaseTimes,
        unfit: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._lock = lock
        self._clock = clock
        self._hooks = hooks
        self._dependency = dependency
        self._times = times
        self._unfit = unfit
        self._lease: Lease | None = None
        self._trusted_until = 0.0
        self._next_request = 0.0
        self._asked_at: float | None = None

    @property
    def leads(self) -> bool:
        return self._lease is not None and self._clock.monotonic() < self._trusted_until

    @property
    def lock_away(self) -> bool:
        """The lock cannot be reached, or says nothing: nobody can know who leads."""
        silent = self._asked_at is not None and self._clock.monotonic() - self._asked_at > ANSWER_WITHIN
        return silent or not self._dependency.available

    @property
    def next_request_in(self) -> float:
        """Seconds until the lease must be renewed, or may be free."""
        return max(0.0, self._next_request - self._clock.monotonic())

    async def keep(self) -> bool:
        """Renew the lease or try to take it, when that is due; whether this node leads."""
        if self._lease is not None and not self.leads:
            self._lost("its lease ran out")
        if (reason := self._unfit()) is not None:
            await self.resign(reason)
            self._next_request = self._clock.monotonic() + self._times.renew_every
            return False
        if self._clock.monotonic() < self._next_request:
            return self.leads
        self._asked_at = self._clock.monotonic()
        try:
            await (self._take() if self._lease is None else self._renew(self._lease))
        except LockUnavailable:
            self._dependency.failed()
            self._next_request = self._clock.monotonic() + self._dependency.pause
        else:
            self._dependency.answered()
        finally:
            self._asked_at = None
        return self.leads

    async def resign(self, reason: str) -> None:
        """Give the lease back, so that another node leads at once."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        self._hooks.leadership_changed(False, reason)
        try:
            await self._lock.release(lease, self._clock.now())
        except LockUnavailable:
            self._dependency.failed()

    async def wait(self, seconds: float) -> None:
        """Spend a pause: a follower is woken when the leader gives the lease back."""
        if self._lease is not None or self.lock_away:
            await self._clock.sleep(seconds)
            return
        try:
            await self._lock.wait_released(LOCK_NAME, timedelta(seconds=seconds))
        except LockUnavailable:
            self._dependency.failed()
            await self._clock.sleep(seconds)
        self._next_request = min(self._next_request, self._clock.monotonic())

    async def _take(self) -> None:
        asked_at = self._clock.monotonic()
        answer = await self._lock.acquire(LOCK_NAME, self._times.ttl, self._clock.now())
        if isinstance(answer, Lease):
            self._lease = answer
            self._trust(asked_at)
            self._hooks.leadership_changed(True, "the lease was free")
        else:
            self._next_request = asked_at + answer.remaining.total_seconds()

    async def _renew(self, lease: Lease) -> None:
        asked_at = self._clock.monotonic()
        if await self._lock.renew(lease, self._times.ttl, self._clock.now()):
            self._trust(asked_at)
        else:
            self._lost("its lease was taken")

    def _trust(self, asked_at: float) -> None:
        self._trusted_until = asked_at + self._times.trusted_for
        self._next_request = asked_at + until_round(asked_at, self._times.renew_every)

    def _lost(self, reason: str) -> None:
        self._lease = None
        self._next_request = 0.0
        self._hooks.leadership_changed(False, reason)

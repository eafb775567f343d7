"""Whether a clock is believed enough to delete by it."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import evolve, frozen

LEAP = timedelta(days=2)
"""A clock that is further ahead than this of when it was last believed is doubted."""
MUST_STAND = timedelta(hours=1)
"""For how long a doubted clock must have gone steadily, by monotonic time, before it is believed."""
STEADY_WITHIN = timedelta(minutes=1)


@frozen(kw_only=True)
class ClockTrust:
    """What is known of a wall clock; the monotonic one cannot be wrong.

    A wrong clock deletes what is not old. One that went back deletes too little, which is no harm, so only leaps ahead
    are doubted: a machine without a battery, a virtual machine on a host whose clock is wrong. A machine that was off
    for days looks the same, and is believed after `MUST_STAND`.
    """

    doubted_from: datetime | None = None
    doubted_since: float = 0.0

    @property
    def holds(self) -> bool:
        return self.doubted_from is None

    def after(self, now: datetime, monotonic: float, *, believed_at: datetime | None) -> ClockTrust:
        """With another look at both clocks. ``believed_at``: when the wall clock was last believed; None: never."""
        if believed_at is None or now <= believed_at + LEAP:
            return ClockTrust()
        stood = timedelta(seconds=monotonic - self.doubted_since)
        if self.doubted_from is None or abs(now - self.doubted_from - stood) > STEADY_WITHIN:
            return evolve(self, doubted_from=now, doubted_since=monotonic)
        return ClockTrust() if stood >= MUST_STAND else self

"""When a clock is believed enough to delete by it."""

from datetime import timedelta

import pytest

from cronhook_core.domain.clock_trust import LEAP, MUST_STAND, ClockTrust
from cronhook_core.testing.builders import NOW

YEAR = timedelta(days=365)
HOUR = MUST_STAND.total_seconds()


def looked(*looks: tuple[timedelta, float], trust: ClockTrust | None = None) -> ClockTrust:
    """After looks at a clock that was believed at NOW, each so far ahead of that, at that monotonic time."""
    trust = trust or ClockTrust()
    for ahead, monotonic in looks:
        trust = trust.after(NOW + ahead, monotonic, believed_at=NOW)
    return trust


def test_a_clock_that_was_never_believed_is_believed() -> None:
    assert ClockTrust().after(NOW, 0.0, believed_at=None).holds


@pytest.mark.parametrize("ahead", [-YEAR, timedelta(), LEAP])
def test_a_clock_that_went_back_or_on_is_believed(ahead: timedelta) -> None:
    assert looked((ahead, 5.0)).holds


def test_a_clock_that_leapt_ahead_is_not_until_it_has_stood_for_an_hour() -> None:
    trust = looked((YEAR, 5.0), (YEAR + MUST_STAND - timedelta(seconds=1), 5.0 + HOUR - 1))
    assert not trust.holds
    assert looked((YEAR + MUST_STAND, 5.0 + HOUR), trust=trust).holds


def test_one_that_leaps_again_meanwhile_has_not_stood() -> None:
    trust = looked((YEAR, 0.0), (2 * YEAR, 60.0), (2 * YEAR + MUST_STAND - timedelta(seconds=60), HOUR))
    assert not trust.holds
    assert looked((2 * YEAR + MUST_STAND, HOUR + 60), trust=trust).holds


def test_one_that_comes_back_is_believed_at_once() -> None:
    assert looked((YEAR, 0.0), (timedelta(minutes=1), 60.0)).holds

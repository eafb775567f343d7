"""Which readings of a server's clock are believed, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from cronhook_core.backends.clocks import OffsetGuard, Reading

SECOND = timedelta(seconds=1)
OFFSET = timedelta(days=20_000)
START = OffsetGuard(offset=OFFSET)


def reading(jump: float, *, at: float, uncertain: float = 0.0) -> Reading:
    """The server is ``jump`` seconds ahead of where `OFFSET` has it, give or take ``uncertain``."""
    middle = OFFSET + jump * SECOND
    return Reading(least=middle - uncertain * SECOND, most=middle + uncertain * SECOND, at=at)


def after(*readings: Reading) -> OffsetGuard:
    guard = START
    for each in readings:
        guard = guard.after(each)
    return guard


def test_a_reading_is_as_exact_as_its_answer_was_quick() -> None:
    remote = datetime(1970, 1, 1, 1, 0, tzinfo=UTC)
    got = Reading.of(remote, asked_at=100.0, answered_at=102.0)
    assert (got.least, got.most, got.at) == (timedelta(seconds=3498), timedelta(seconds=3500), 102.0)
    assert got.middle == timedelta(seconds=3499)


@pytest.mark.parametrize("step", [5.0, 0.001, -0.001, -5.0])
def test_a_step_of_up_to_five_seconds_is_followed(step: float) -> None:
    assert after(reading(step, at=1)) == OffsetGuard(offset=OFFSET + step * SECOND)


def test_a_reading_that_allows_the_offset_does_not_move_it() -> None:
    assert after(reading(2.0, at=1, uncertain=2.0)) == START


def test_a_reading_moves_the_offset_no_further_than_it_must() -> None:
    assert after(reading(2.0, at=1, uncertain=0.5)).offset == OFFSET + 1.5 * SECOND
    assert after(reading(-2.0, at=1, uncertain=0.5)).offset == OFFSET - 1.5 * SECOND


def test_a_slow_answer_makes_no_jump() -> None:
    assert after(reading(30.0, at=1, uncertain=29.0)) == OffsetGuard(offset=OFFSET + SECOND)


@pytest.mark.parametrize("jump", [5.001, -5.001, 3600.0, -3600.0])
def test_a_greater_jump_is_refused(jump: float) -> None:
    guard = after(reading(jump, at=10), reading(jump, at=69.9))
    assert guard.offset == OFFSET
    assert guard.refused_jump == jump * SECOND


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_jump_that_stood_for_a_minute_is_taken_over(jump: float) -> None:
    guard = after(reading(jump, at=10), reading(jump, at=40), reading(jump, at=70))
    assert guard == OffsetGuard(offset=OFFSET + jump * SECOND)
    assert guard.refused_jump is None


def test_a_jump_that_goes_back_is_forgotten() -> None:
    guard = after(reading(3600, at=10), reading(0, at=40), reading(3600, at=70))
    assert guard.offset == OFFSET
    assert after(reading(3600, at=10), reading(0, at=40)) == START


def test_the_minute_begins_anew_with_every_further_jump() -> None:
    guard = after(reading(3600, at=10), reading(7200, at=60), reading(7200, at=119))
    assert guard.offset == OFFSET
    assert guard.after(reading(7200, at=120)).offset == OFFSET + 7200 * SECOND


def test_small_steps_of_a_doubted_clock_do_not_begin_the_minute_anew() -> None:
    guard = after(reading(3600, at=10), reading(3601, at=40), reading(3602, at=70))
    assert guard.offset == OFFSET + 3602 * SECOND

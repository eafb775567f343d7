from attrs import evolve

from cronhook_core.domain.claim import MAX_CLAIM_BYTES, Claim
from cronhook_core.engine.claim_size import AT_ONCE, FIRST_BYTES, LEAST_BYTES, SLOW, ClaimSize
from tests.unit.engine.test_result_writer import make_claim

QUICK = SLOW / 10
CLAIM = make_claim()


def returned(size: int) -> list[Claim]:
    """A claim's answer of so many bytes."""
    return [evolve(CLAIM, payload=bytes(size))]


def test_quick_claims_that_use_it_lead_to_larger_ones() -> None:
    size = ClaimSize()
    asked = []
    for _ in range(6):
        asked.append(size.bytes)
        size.answered(returned(size.bytes), QUICK)
    assert asked == [FIRST_BYTES, 2 * FIRST_BYTES, 4 * FIRST_BYTES, *[MAX_CLAIM_BYTES] * 3]


def test_small_claims_prove_nothing() -> None:
    size = ClaimSize()
    size.failed()
    for _ in range(10):
        size.answered(returned(1000), QUICK)
    assert (size.executions, size.bytes) == (AT_ONCE // 2, FIRST_BYTES // 2)


def test_slow_claims_become_smaller_but_for_their_number() -> None:
    size = ClaimSize()
    for _ in range(3):
        size.answered(returned(size.bytes), QUICK)
    for _ in range(6):
        size.answered(returned(size.bytes), 3 * SLOW)
    assert (size.executions, size.bytes) == (AT_ONCE, FIRST_BYTES)


def test_failures_lead_down_to_single_executions_and_answers_up_again() -> None:
    size = ClaimSize()
    for _ in range(20):
        size.failed()
    assert (size.executions, size.bytes) == (1, LEAST_BYTES)
    for _ in range(20):
        size.answered([CLAIM] * size.executions, QUICK)
    assert (size.executions, size.bytes) == (AT_ONCE, LEAST_BYTES)

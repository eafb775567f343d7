"""Calls that come together go out together, and do not feel each other."""

import asyncio
from collections.abc import Sequence

import pytest

from cronhook_core.backends.postgres.grouping import QUIET_TURNS, Grouped
from cronhook_core.errors import StoreBusy, StoreUnavailable


class Doubling:
    """Answers twice the number. ``groups`` is what it was asked; it waits while ``gate`` is shut."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.asked = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int]:
        self.groups.append(list(numbers))
        self.asked.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]


@pytest.fixture
def doubling() -> Doubling:
    return Doubling()


@pytest.fixture
def grouped(doubling: Doubling) -> Grouped[int, int]:
    return Grouped(doubling, at_most=4)


async def test_what_comes_in_one_turn_goes_out_together(grouped: Grouped[int, int], doubling: Doubling) -> None:
    assert await asyncio.gather(*map(grouped.ask, (1, 2, 3))) == [2, 4, 6]
    assert doubling.groups == [[1, 2, 3]]
    assert grouped.idle


async def test_what_comes_meanwhile_goes_out_next_in_bounded_groups(
    grouped: Grouped[int, int], doubling: Doubling
) -> None:
    doubling.gate.clear()
    first = asyncio.create_task(grouped.ask(0))
    await doubling.asked.wait()
    others = [asyncio.create_task(grouped.ask(number)) for number in range(1, 7)]
    await asyncio.sleep(0)
    assert not grouped.idle
    doubling.gate.set()
    assert await asyncio.gather(first, *others) == [0, 2, 4, 6, 8, 10, 12]
    assert doubling.groups == [[0], [1, 2, 3, 4], [5, 6]]


async def test_after_a_group_others_are_gathered_while_turns_bring_more(
    grouped: Grouped[int, int], doubling: Doubling
) -> None:
    await asyncio.gather(*map(grouped.ask, (1, 2)))
    asking = []
    for number in (3, 4, 5):
        asking.append(asyncio.create_task(grouped.ask(number)))
        await _turns(QUIET_TURNS - 1)
    assert await asyncio.gather(*asking) == [6, 8, 10]
    assert doubling.groups == [[1, 2], [3, 4, 5]]


async def test_who_comes_alone_after_a_group_waits_for_a_few_turns(
    grouped: Grouped[int, int], doubling: Doubling
) -> None:
    await asyncio.gather(*map(grouped.ask, (1, 2)))
    alone = asyncio.create_task(grouped.ask(3))
    await _turns(QUIET_TURNS + 4)
    assert alone.done()
    assert doubling.groups == [[1, 2], [3]]


async def test_no_more_are_gathered_than_go_out_together(grouped: Grouped[int, int], doubling: Doubling) -> None:
    await asyncio.gather(*map(grouped.ask, (1, 2)))
    assert await asyncio.gather(*map(grouped.ask, (3, 4, 5, 6, 7))) == [6, 8, 10, 12, 14]
    assert doubling.groups == [[1, 2], [3, 4, 5, 6], [7]]


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_caller_that_leaves_is_not_missed(grouped: Grouped[int, int], doubling: Doubling) -> None:
    doubling.gate.clear()
    leaving, staying = asyncio.create_task(grouped.ask(1)), asyncio.create_task(grouped.ask(2))
    await doubling.asked.wait()
    waiting, gone = asyncio.create_task(grouped.ask(3)), asyncio.create_task(grouped.ask(4))
    await asyncio.sleep(0)
    leaving.cancel()
    gone.cancel()
    await asyncio.wait([leaving, gone])
    doubling.gate.set()
    assert await asyncio.gather(staying, waiting) == [4, 6]
    assert leaving.cancelled()
    assert gone.cancelled()
    assert doubling.groups == [[1, 2], [3]]


async def test_one_that_cannot_be_answered_spoils_no_other(grouped: Grouped[int, int], doubling: Doubling) -> None:
    answers = await asyncio.gather(*map(grouped.ask, (1, 13, 2)), return_exceptions=True)
    assert [answers[0], answers[2]] == [2, 4]
    assert isinstance(answers[1], ValueError)
    assert doubling.groups == [[1, 13, 2], [1], [13], [2]]
    assert await grouped.ask(5) == 10


async def test_a_database_that_is_away_is_asked_once(grouped: Grouped[int, int], doubling: Doubling) -> None:
    doubling.failure = StoreUnavailable("away")
    answers = await asyncio.gather(*map(grouped.ask, (1, 2, 3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    assert doubling.groups == [[1, 2, 3]]
    doubling.failure = None
    assert await grouped.ask(1) == 2


@pytest.mark.parametrize(("failure", "asked"), [(StoreUnavailable("away"), 1), (StoreBusy("held"), 2)])
async def test_who_waits_while_the_database_is_away_does_not_wait_anew(
    grouped: Grouped[int, int], doubling: Doubling, failure: Exception, asked: int
) -> None:
    doubling.gate.clear()
    doubling.failure = failure
    first = asyncio.ensure_future(grouped.ask(1))
    await doubling.asked.wait()
    later = [asyncio.ensure_future(grouped.ask(number)) for number in (2, 3)]
    await asyncio.sleep(0)
    doubling.gate.set()
    answers = await asyncio.gather(first, *later, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(failure)] * 3
    assert len(doubling.groups) == asked

"""The ordered index of the memory store, beyond the size at which it splits itself."""

from datetime import timedelta
from itertools import islice
from random import Random

import pytest

from cronhook_core.backends.memory.instant_index import Entry, InstantIndex
from cronhook_core.testing.builders import NOW

SECOND = timedelta(seconds=1)


def entries(count: int, random: Random) -> list[Entry]:
    """Entries of which many share an instant."""
    return [(NOW + random.randrange(count // 4 + 1) * SECOND, f"id_{number}") for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 1024, 1025, 6000])
@pytest.mark.parametrize("order", ["random", "rising", "falling"])
def test_it_is_a_sorted_list(count: int, order: str) -> None:
    random = Random(count)
    wanted = entries(count, random)
    if order != "random":
        wanted.sort(reverse=order == "falling")
    index = InstantIndex()
    for entry in wanted:
        index.add(*entry)
    assert list(index.after()) == sorted(wanted)
    for instant in (NOW - SECOND, NOW, NOW + count // 8 * SECOND, NOW + count * SECOND):
        assert list(index.after(instant)) == sorted(entry for entry in wanted if entry[0] > instant)


def test_what_is_removed_is_gone() -> None:
    random = Random(1)
    left = entries(5000, random)
    index = InstantIndex()
    for entry in left:
        index.add(*entry)
    random.shuffle(left)
    while left:
        for entry in (left.pop() for _ in range(500)):
            index.remove(*entry)
        assert list(index.after()) == sorted(left)
    index.add(NOW, "again")
    assert list(index.after()) == [(NOW, "again")]


def test_adding_and_removing_keep_the_order() -> None:
    random = Random(2)
    index, model = InstantIndex(), set[Entry]()
    for number in range(20_000):
        if model and random.random() < 0.45:
            entry = model.pop()
            index.remove(*entry)
        else:
            entry = (NOW + random.randrange(50) * SECOND, f"id_{number}")
            model.add(entry)
            index.add(*entry)
    assert list(index.after()) == sorted(model)


def test_the_oldest_are_read_without_the_rest() -> None:
    index = InstantIndex()
    for number in range(3000):
        index.add(NOW + number * SECOND, "id")
    assert [instant for instant, _ in islice(index.after(NOW + SECOND), 2)] == [NOW + 2 * SECOND, NOW + 3 * SECOND]

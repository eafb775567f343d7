"""What goes on a page."""

import pytest

from cronhook_server.routes.paging import MAX_PAGE_BYTES, page_of, write_cursor

ROWS = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("limit", "weight", "shown"),
    [
        (4, 0, "abcd"),
        (5, 0, "abcd"),
        (3, 0, "abc"),
        (4, MAX_PAGE_BYTES // 2, "ab"),
        (1, MAX_PAGE_BYTES // 2, "a"),
        (4, MAX_PAGE_BYTES // 4, "abcd"),
        (4, MAX_PAGE_BYTES, "a"),
        (4, MAX_PAGE_BYTES + 1, "a"),
    ],
)
def test_a_page_is_bounded_by_its_limit_and_its_weight(limit: int, weight: int, shown: str) -> None:
    page, cursor = page_of(ROWS, limit, str, lambda _: weight)
    assert list(page) == list(shown)
    assert cursor == (None if len(shown) == len(ROWS) else write_cursor(shown[-1]))


def test_an_empty_one() -> None:
    assert page_of([], 5, str, len) == ([], None)

"""Tables in terminals of any width."""

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronhook_server.cli.table import Column, cell_width, rendered, shown

COLUMNS = (
    Column(header="ID", key="id"),
    Column(header="NAME", key="name", least=6),
    Column(header="NOTE", key="note", least=8, wraps=True, rank=1),
    Column(header="URL", key="url", least=5, rank=2),
)
NARROWEST = len("id-0000") + 2 + 6

cells = st.text(st.characters(categories=["L", "N", "P", "S"]) | st.just(" "), max_size=40).map(shown)
rows = st.lists(
    st.fixed_dictionaries({"id": st.just("id-0000"), "name": cells, "note": cells, "url": cells}), max_size=4
)


@given(rows, st.integers(NARROWEST, 120))
@settings(deadline=None)
def test_no_line_is_wider_than_the_terminal(listed: list[dict[str, str]], width: int) -> None:
    lines = [without_colours(line) for line in rendered(COLUMNS, listed, width)]
    assert [line for line in lines if cell_width(line) > width] == []
    assert sum("id-0000" in line for line in lines) >= len(listed)


@given(rows)
@settings(deadline=None)
def test_without_a_terminal_nothing_is_lost_or_coloured(listed: list[dict[str, str]]) -> None:
    header, *lines = rendered(COLUMNS, listed, None)
    assert header.split() == ["ID", "NAME", "NOTE", "URL"]
    for line, row in zip(lines, listed, strict=True):
        assert all(cell.rstrip() in line for cell in row.values())
        assert "\x1b" not in line


def test_what_is_less_needed_is_left_out_first() -> None:
    row = {"id": "id-0000", "name": "a long name", "note": "a long note", "url": "http://example.com"}
    headers = {width: rendered(COLUMNS, [row], width)[0] for width in (60, 32, 20)}
    assert [name in headers[60] for name in ("ID", "NAME", "NOTE", "URL")] == [True, True, True, True]
    assert [name in headers[32] for name in ("ID", "NAME", "NOTE", "URL")] == [True, True, True, True]
    assert [name in headers[20] for name in ("ID", "NAME", "NOTE", "URL")] == [True, True, False, False]


def test_what_is_long_is_cut_or_wrapped() -> None:
    row = {"id": "id-0000", "name": "a name too long", "note": "of many many words", "url": "u"}
    assert [without_colours(line) for line in rendered(COLUMNS, [row], 32)] == [
        "ID       NAME      NOTE      URL",
        "id-0000  a name …  of many   u",
        "                   many",
        "                   words",
    ]


def test_wide_characters_are_counted_by_their_cells() -> None:
    row = {"id": "id-0000", "name": "日本語日本語", "note": "語語語語語語 b", "url": "u"}
    assert [without_colours(line) for line in rendered(COLUMNS, [row], 32)] == [
        "ID       NAME      NOTE      URL",
        "id-0000  日本語…   語語語語  u",
        "                   語語 b",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        (True, "yes"),
        (["a", "b"], "a, b"),
        (7, "7"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("two\nlines", r"two\nlines"),
        ("right\u202eleft", r"right\u202eleft"),
        ("\x9b31m", r"\x9b31m"),
        ("日本", "日本"),
    ],
)
def test_what_a_cell_shows(value: object, text: str) -> None:
    assert shown(value) == text


def without_colours(line: str) -> str:
    return click.unstyle(line)

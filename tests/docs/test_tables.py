"""The tables of the documents are whole: no row has strayed into one that it does not belong to."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
CODE_SPAN = re.compile(r"`[^`]*`")
PERFORMANCE = ROOT / "docs" / "explanation" / "performance.md"


def tables(page: Path) -> Iterator[list[list[str]]]:
    """Of each table its rows, and of each row its cells; the second row is the rule below the head."""
    for block in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        yield [cells(row) for row in block.splitlines()]


def cells(row: str) -> list[str]:
    bare = CODE_SPAN.sub(lambda span: span[0].replace("|", " "), row)
    return [cell.strip() for cell in bare.strip().strip("|").split("|")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_all_rows_of_a_table_have_as_many_cells(page: Path) -> None:
    for table in tables(page):
        assert {len(row) for row in table} == {len(table[1])}, table[0]


def test_every_benchmark_is_described() -> None:
    described = next(tables(PERFORMANCE))
    assert [row[0].strip("`") for row in described[2:]] == [*BENCHMARKS, "--peers"]

"""Tables that fit the terminal: what is long is cut or wrapped, what is less needed is left out; nothing is in a pipe.

Text of users and receivers never reaches a terminal as it is: control characters would be obeyed.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from cronhook_server.printable import printable

_GAP = "  "
_COLOURS = {
    "ok": "green",
    "active": "green",
    "succeeded": "green",
    "late_succeeded": "green",
    "running": "cyan",
    "queued": "cyan",
    "paused": "yellow",
    "warning": "yellow",
    "degraded": "yellow",
    "lost": "yellow",
    "interrupted": "yellow",
    "failed": "red",
    "late_failed": "red",
    "failing": "red",
    "error": "red",
}


@frozen(kw_only=True)
class Column:
    """``text`` makes a cell of a row. ``least``: to this many cells it may be cut or wrapped; None: it never is.

    ``rank``: of the columns that may be left out in a narrow terminal, the greatest goes first; 0 is never left out.
    """

    header: str
    key: str
    least: int | None = None
    wraps: bool = False
    rank: int = 0

    def width(self, cells: Sequence[str]) -> int:
        return max(map(cell_width, (self.header, *cells)), default=0)


def terminal_width() -> int | None:
    """Cells in a line of the terminal; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def rendered(columns: Sequence[Column], rows: Sequence[Mapping[str, str]], width: int | None) -> list[str]:
    """The lines of the table; ``width`` None: as wide as it is. Colours only where there is a width."""
    fitted = _fitted(columns, rows, width)
    lines = [_line([column.header for column, _ in fitted], fitted, bold=width is not None)]
    for row in rows:
        cells = [_wrapped(row[column.key], column, size) for column, size in fitted]
        for n in range(max(map(len, cells))):
            line = [cell[n] if n < len(cell) else "" for cell in cells]
            lines.append(_line(line, fitted, coloured=width is not None))
    return lines


def shown(value: Any) -> str:
    """One line for people, without control characters."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return printable(text)


def cell_width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _fitted(
    columns: Sequence[Column], rows: Sequence[Mapping[str, str]], width: int | None
) -> list[tuple[Column, int]]:
    sizes = {column.key: column.width([row[column.key] for row in rows]) for column in columns}
    kept = list(columns)
    while width is not None and _least(kept, sizes) > width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    over = 0 if width is None else _total([sizes[column.key] for column in kept]) - width
    while over > 0 and (widest := _widest(kept, sizes)) is not None:
        sizes[widest.key] -= 1
        over -= 1
    return [(column, sizes[column.key]) for column in kept]


def _least(columns: Sequence[Column], sizes: Mapping[str, int]) -> int:
    return _total([sizes[c.key] if c.least is None else min(c.least, sizes[c.key]) for c in columns])


def _total(sizes: Sequence[int]) -> int:
    return sum(sizes) + len(_GAP) * (len(sizes) - 1)


def _widest(columns: Sequence[Column], sizes: Mapping[str, int]) -> Column | None:
    """The column to take a cell from: the widest of those that have one to give."""
    giving = [column for column in columns if column.least is not None and sizes[column.key] > column.least]
    return max(giving, key=lambda column: sizes[column.key], default=None)


def _wrapped(text: str, column: Column, size: int) -> list[str]:
    if cell_width(text) <= size:
        return [text]
    return _folded(text, size) if column.wraps else [_cut(text, size)]


def _folded(text: str, size: int) -> list[str]:
    """By cells, which the standard library's textwrap does not know."""
    lines = [""]
    for word in text.split():
        if lines[-1] and cell_width(f"{lines[-1]} {word}") <= size:
            lines[-1] += f" {word}"
        else:
            lines += _pieces(word, size)
    return lines[1:] or [""]


def _pieces(word: str, size: int) -> list[str]:
    """A word that is longer than a line, as full lines and what is left."""
    pieces = [""]
    for character in word:
        if cell_width(pieces[-1] + character) > size:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _cut(text: str, size: int) -> str:
    while cell_width(text) > size - 1:
        text = text[:-1]
    return f"{text}…"


def _line(
    cells: Sequence[str], fitted: Sequence[tuple[Column, int]], *, bold: bool = False, coloured: bool = False
) -> str:
    padded = [cell + " " * (size - cell_width(cell)) for cell, (_, size) in zip(cells, fitted, strict=True)]
    padded[-1] = padded[-1].rstrip()
    if coloured:
        pairs = zip(padded, cells, strict=True)
        padded = [cell.replace(word, styled(word, fg=_COLOURS.get(word))) for cell, word in pairs]
    line = _GAP.join(padded).rstrip()
    return styled(line, bold=True) if bold else line


def styled(text: str, *, fg: str | None = None, bold: bool = False) -> str:
    """With colours, unless the user wants none (no-color.org)."""
    import os

    import click

    if not text or os.environ.get("NO_COLOR") or not (fg or bold):
        return text
    return click.style(text, fg=fg, bold=bold or None)


def plain(column: str) -> Column:
    """A column of that key that is neither cut nor left out."""
    return Column(header=column.upper().replace("_", " "), key=column)


def wrapping(column: str, least: int) -> Column:
    return evolve(plain(column), least=least, wraps=True)

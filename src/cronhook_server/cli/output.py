"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from cronhook_server.cli.table import Column, cell_width, plain, rendered, shown, styled, terminal_width

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

_PIPED_WIDTH = 500


class OutputFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def output_option(*formats: OutputFormat) -> Callable[[F], F]:
    """The option ``-o``, with these formats (default: all); the first one is the default."""
    choices = [choice.value for choice in formats or tuple(OutputFormat)]
    return click.option(
        "-o",
        "--output",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        callback=lambda _, __, value: OutputFormat(value),
        help="How to print it.",
    )


def console() -> Console:
    """Writes to stdout. A reader that has gone is a BrokenPipeError, as everywhere else."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Plain(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False, soft_wrap=True)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str | Column], output: OutputFormat) -> None:
    """JSON: one array; JSON lines: one object a line; a table shows ``columns`` only."""
    if output is OutputFormat.JSON:
        print_json(list(rows))
    elif output is OutputFormat.JSONL:
        for row in rows:
            print_line(row)
    else:
        print_table(rows, columns)


def print_one(value: Mapping[str, Any], output: OutputFormat, *, fields: Sequence[str] | None = None) -> None:
    """One object; the table has one line for each of ``fields`` (default: all)."""
    if output is OutputFormat.JSON:
        print_json(value)
    elif output is OutputFormat.JSONL:
        print_line(value)
    else:
        print_fields({name: value[name] for name in fields or value})


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=not _speaks_unicode(), indent=2) + "\n")


def print_line(value: Any) -> None:
    """One JSON object, on its way at once: a pipe's reader need not wait for the rest."""
    sys.stdout.write(json.dumps(value, ensure_ascii=not _speaks_unicode()) + "\n")
    sys.stdout.flush()


def print_text(line: str, *, at_once: bool = False) -> None:
    """A line for people, whatever the terminal's encoding; ``at_once``: a pipe's reader need not wait for the rest."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")
    if at_once:
        sys.stdout.flush()


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str | Column]) -> None:
    laid_out = [plain(column) if isinstance(column, str) else column for column in columns]
    cells = [{column.key: shown(row[column.key]) for column in laid_out} for row in rows]
    for line in rendered(laid_out, cells, terminal_width()):
        print_text(line)


def print_fields(fields: Mapping[str, Any]) -> None:
    """Each value on a line of its own, and maps with one line for each entry."""
    margin = max(map(cell_width, fields), default=0) + 2
    for name, value in fields.items():
        label = name.replace("_", " ").ljust(margin)
        for n, line in enumerate(_lines(value)):
            print_text((_bold(label) if n == 0 else " " * margin) + line)


def note(text: str) -> None:
    """Something beside the output, for people, on stderr."""
    click.echo(text, err=True)


def _bold(label: str) -> str:
    return styled(label, bold=True) if sys.stdout.isatty() else label


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{shown(key)}: {shown(entry)}" for key, entry in value.items()] or ["-"]
    if isinstance(value, str):
        return [shown(line) for line in value.splitlines()] or ["-"]
    return [shown(value)]


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")

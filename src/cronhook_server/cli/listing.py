"""Lists that come in pages: how much of them is shown, and what is told meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import rich_click as click

from cronhook_core.wire.converter import to_json
from cronhook_server.cli.output import OutputFormat, note, print_json, print_line, print_rows
from cronhook_server.cli.showing import present
from cronhook_server.cli.table import Column

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_MOST = 10**9
_MOST_AT_ONCE = 200
_SILENT_SECONDS = 0.5


def how_many(function: F) -> F:
    """The options ``--limit`` and ``--all``."""
    limit = click.option(
        "-n", "--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="At most so many."
    )
    everything = click.option("--all", "everything", is_flag=True, help="All there are.")
    return limit(everything(function))


def page_size(limit: int, everything: bool) -> int:
    """How many to ask for at once; one more than is shown, to know whether there are more."""
    return _MOST_AT_ONCE if everything else min(limit + 1, _MOST_AT_ONCE)


def print_list(
    items: Iterable[Any],
    columns: Sequence[Column],
    row: Callable[[Mapping[str, Any], datetime], dict[str, Any]],
    output: OutputFormat,
    *,
    limit: int,
    everything: bool,
) -> None:
    """Print the first ``limit`` of them, or ``everything``; JSON lines as they come."""
    coming, now = iter(items), present()
    wanted = counted(coming if everything else islice(coming, limit))
    values = (to_json(item) for item in wanted)
    if output is OutputFormat.JSONL:
        for value in values:
            print_line(value)
    elif output is OutputFormat.JSON:
        print_json(list(values))
    elif rows := [row(value, now) for value in values]:
        print_rows(rows, columns, output)
    else:
        note("There are none.")
    if not everything and next(coming, None) is not None:
        note(f"There are more than {limit}: --limit shows more of them, --all shows all.")


def counted(items: Iterable[T]) -> Iterator[T]:
    """Tells on a terminal how many have come, where it takes long."""
    began, told = time.monotonic(), False
    for count, item in enumerate(items, 1):
        if count % _MOST_AT_ONCE == 0 and time.monotonic() - began > _SILENT_SECONDS:
            tell_progress(f"{count} …")
            told = True
        yield item
    if told:
        tell_progress("")


def tell_progress(text: str) -> None:
    """A line on the terminal that the next one replaces; nothing where stderr is none."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

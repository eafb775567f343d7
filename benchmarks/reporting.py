"""Rows of figures: as a table for people, and as JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

Row = Mapping[str, str | float]


def progress(line: str) -> None:
    print(f"  … {line}", file=sys.stderr, flush=True)


def print_table(title: str, rows: Sequence[Row]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([cell(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    print(f"\n{title}")
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    sys.stdout.flush()


def write_json(path: Path, results: Mapping[str, Sequence[Row]]) -> None:
    path.write_text(json.dumps(results, indent=2) + "\n")


def over_runs(runs: Sequence[Row]) -> list[Row]:
    """The runs, and after more than one their median with the least and the greatest of each figure."""
    if len(runs) == 1:
        return list(runs)
    figures = [name for name, value in runs[0].items() if not isinstance(value, str)]
    values = {name: [float(run[name]) for run in runs] for name in figures}
    words = {name: value for name, value in runs[0].items() if isinstance(value, str)}
    middle: Row = words | {"run": "median"} | {name: median(found) for name, found in values.items()}
    span: Row = words | {"run": "min to max"} | {n: f"{cell(min(v))} to {cell(max(v))}" for n, v in values.items()}
    return [*runs, middle, span]


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of values in ascending order; NaN when there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"

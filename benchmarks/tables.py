"""The results of several runs as one table in Markdown."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.reporting import Row, cell
from benchmarks.targets import Rows, verdicts

SINGLE_RUNS = ("median", "min to max")


def merged(files: Sequence[Path]) -> dict[str, list[Row]]:
    """All runs of each benchmark, and of each kind of row the median: kinds differ in their words."""
    results: dict[str, list[Row]] = {}
    for path in files:
        for bench, rows in json.loads(path.read_text()).items():
            results.setdefault(bench, []).extend(row for row in rows if row.get("run") not in SINGLE_RUNS)
    return {bench: _medians(rows) for bench, rows in results.items()}


def markdown(results: Mapping[str, Rows]) -> str:
    parts = [f"### {bench}\n\n{_table(rows)}" for bench, rows in results.items()]
    return "\n\n".join([*parts, f"### Targets\n\n{_table(verdicts(results))}"])


def _medians(rows: Rows) -> list[Row]:
    kinds: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        kind = tuple((name, v) for name, v in row.items() if isinstance(v, str) and name != "run")
        kinds.setdefault(kind, []).append(row)
    return [_median(dict(kind), found) for kind, found in kinds.items()]


def _median(words: Mapping[str, str], rows: Rows) -> Row:
    figures = {name: [float(row[name]) for row in rows] for name, v in rows[0].items() if not isinstance(v, str)}
    spans = {name: f"{cell(min(v))} to {cell(max(v))}" for name, v in figures.items() if name in ("ratio", "p99 ms")}
    middle = {name: median(v) for name, v in figures.items()}
    return {
        **words,
        "runs": str(len(rows)),
        **middle,
        **{f"{name}, least to most": span for name, span in spans.items()},
    }


def _table(rows: Rows) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, ["---"] * len(columns), *([cell(row.get(name, "")) for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

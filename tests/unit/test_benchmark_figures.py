"""What the benchmarks say of figures: the median of several runs, and whether a target holds."""

import json
from pathlib import Path

import pytest

from benchmarks.reporting import Row, over_runs
from benchmarks.tables import markdown, merged
from benchmarks.targets import TARGETS, verdicts


def herd(ratio: float, run: int = 1) -> Row:
    return {"on": "postgres + redis", "jobs": "5,000", "run": str(run), "ratio": ratio}


def verdict_on(rows: list[Row]) -> Row:
    return verdicts({"herd": rows})[0]


@pytest.mark.parametrize(("ratio", "word"), [(0.40, "holds"), (0.39, "does not hold")])
def test_a_target_holds_from_its_bound_on(ratio: float, word: str) -> None:
    assert verdict_on([herd(ratio)])["verdict"] == word


def test_of_several_runs_the_median_counts() -> None:
    rows = over_runs([herd(0.1, 1), herd(0.5, 2), herd(0.9, 3)])
    assert verdict_on(rows) == {"target": TARGETS[0].text, "figure": 0.5, "verdict": "holds"}


def test_what_was_not_measured_is_not_said_to_hold() -> None:
    assert verdict_on([{**herd(0.5), "jobs": "1,000"}])["figure"] == "not measured"


def test_only_targets_of_what_ran_are_judged() -> None:
    assert verdicts({"peers": [herd(0.5)]}) == []


def test_files_of_several_runs_become_one_table_of_medians(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.json" for number in range(3)]
    for file, ratio in zip(files, (0.2, 0.6, 0.3), strict=True):
        file.write_text(json.dumps({"herd": over_runs([herd(ratio), herd(ratio)])}))
    results = merged(files)
    assert [row["ratio"] for row in results["herd"]] == [0.3]
    assert "0.20 to 0.60" in markdown(results)
    assert f"| {TARGETS[0].text} | 0.30 | does not hold |" in markdown(results)

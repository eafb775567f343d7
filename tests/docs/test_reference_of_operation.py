"""What operators read is what there is: every metric and every event of the log, in both directions."""

import re
from pathlib import Path

import pytest

from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.webhook import Outcome
from tests.metric_names import every_metric, shown_metrics

ROOT = Path(__file__).parents[2]
METRICS = (ROOT / "docs" / "reference" / "metrics.md").read_text()
EVENTS = (ROOT / "docs" / "reference" / "log_events.md").read_text()
WRITERS = [
    path
    for path in (ROOT / "src" / "cronhook_server").glob("**/*.py")
    if path.parent.name not in ("cli", "demo", "testing") and "structlog" in path.read_text()
]


def rows(page: str) -> dict[str, list[str]]:
    """The cells of each row of the tables of a page, by what is in backticks in the first one."""
    lines = (line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `"))
    return {cells[0].strip().strip("`"): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    assert rows(METRICS).keys() == every_metric()


@pytest.mark.parametrize("metric", sorted(every_metric()))
def test_a_metric_is_documented_with_its_type_and_labels(metric: str) -> None:
    kind, labels = shown_metrics()[metric]
    told_kind, told_labels, meaning = rows(METRICS)[metric]
    assert (told_kind, set(re.findall(r"`(\w+)`", told_labels))) == (kind, labels)
    assert meaning


def test_no_label_could_name_somebody() -> None:
    labels = {label for _, labels in shown_metrics().values() for label in labels}
    assert labels == {"outcome", "status", "dependency", "loop", "version", "python", "method", "route"}


def test_every_value_of_closed_labels_is_documented() -> None:
    outcomes, statuses = (
        rows(METRICS)[name][2] for name in ("cronhook_attempts_total", "cronhook_executions_ended_total")
    )
    assert {f"`{outcome.value}`" for outcome in Outcome} <= set(re.findall(r"`\w+`", outcomes))
    assert {f"`{s.value}`" for s in ExecutionStatus if s.is_final} <= set(re.findall(r"`\w+`", statuses))


def test_every_event_is_documented_and_every_documented_one_exists() -> None:
    call = re.compile(r'(?:log\.(?:info|warning|error)|write|_writer\(report, verdict\))\(\s*"(\w+)"')
    written = {event for path in WRITERS for event in call.findall(path.read_text())}
    assert rows(EVENTS).keys() == written


def test_no_event_is_written_in_another_way() -> None:
    """Or the test above would not see it."""
    for path in WRITERS:
        assert not re.search(r"log\.(?:debug|info|warning|error|exception)\(\s*[^\"\s]", path.read_text()), path

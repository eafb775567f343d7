"""The reference of settings, errors and guarantees says what there is, in both directions."""

import re
from pathlib import Path
from typing import Any

import pytest

from cronhook_client.errors import kind_of
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import InactiveReason, JobStatus
from cronhook_core.domain.webhook import Outcome
from cronhook_core.wire.problem import KINDS
from cronhook_server.settings import RULES, Rule, Settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
FINAL_REASONS = ("retries_exhausted", "gone", "blocked", "lost", "paused", "deleted", "cancelled")
SENT = {
    *("webhook-id", "webhook-timestamp", "webhook-signature"),
    *("cronhook-job-id", "cronhook-scheduled-for", "cronhook-attempt"),
}


def rows(page: str) -> dict[str, list[str]]:
    """The cells of each row of the page's tables, by what is in backticks in the first one."""
    lines = (line.strip("|").split("|") for line in REFERENCE.joinpath(page).read_text().splitlines())
    tables = [[cell.strip().strip("`") for cell in cells] for cells in lines if cells[0].startswith(" `")]
    return {first: rest for first, *rest in tables}


def guarantees(text: str) -> list[str]:
    return re.findall(r"^\d\. .*$", text, re.MULTILINE)


def default_of(rule: Rule) -> str:
    value: Any = getattr(Settings(), rule.field)
    return "" if value is None else rule.show(value)


def test_every_setting_is_there_and_nothing_else() -> None:
    assert list(rows("settings.md")) == [rule.variable for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.variable)
def test_a_setting_has_its_default(rule: Rule) -> None:
    default, meaning = rows("settings.md")[rule.variable]
    assert default == default_of(rule)
    assert meaning


def test_which_settings_may_be_in_a_file() -> None:
    (said,) = re.findall(r"This goes for\n(.*)\n", REFERENCE.joinpath("settings.md").read_text())
    assert set(re.findall(r"`(\w+)`", said)) == {rule.variable for rule in RULES if rule.secret}


def test_every_error_is_there_with_its_status_and_class() -> None:
    told = rows("errors.md")
    assert list(told) == list(KINDS)
    for code, (status, raised, advice) in told.items():
        assert int(status) == KINDS[code].status
        assert raised == kind_of(KINDS[code].status, code).__name__
        assert advice


def test_the_guarantees_are_those_of_the_readme() -> None:
    promised = guarantees(REFERENCE.joinpath("guarantees.md").read_text())
    assert len(promised) == 6
    assert promised == guarantees(ROOT.joinpath("README.md").read_text())


def test_every_word_for_what_becomes_of_a_webhook_is_there() -> None:
    told = set(rows("webhook.md"))
    words = {*JobStatus, *InactiveReason, *ExecutionStatus, *Outcome}
    assert told >= words | set(FINAL_REASONS)
    assert told - words - set(FINAL_REASONS) == SENT


@pytest.mark.parametrize("page", ["README.md", "docs/reference/guarantees.md"])
def test_folders_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`((?:tests|src|docs)/[\w/.]+)`", ROOT.joinpath(page).read_text())
    assert named
    assert [path for path in named if not ROOT.joinpath(path).exists()] == []

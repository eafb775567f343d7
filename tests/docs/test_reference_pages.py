"""The reference of settings, errors and guarantees says what there is, in both directions."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cronhook_client.errors import kind_of
from cronhook_core.domain.execution import ExecutionStatus
from cronhook_core.domain.job import MAX_PAYLOAD_BYTES, InactiveReason, JobStatus
from cronhook_core.domain.webhook import Outcome
from cronhook_core.wire.problem import KINDS
from cronhook_server.settings import RULES, Rule, Settings

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
OPENAPI = ROOT / "tests" / "integration" / "api" / "openapi.json"
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


def bounds_of(schema: object) -> Iterator[int]:
    """The numbers within which a value of this JSON schema is."""
    if isinstance(schema, list):
        for one in schema:
            yield from bounds_of(one)
    elif isinstance(schema, dict):
        for name, value in schema.items():
            if name in ("minimum", "maximum", "minLength", "maxLength", "maxItems", "maxProperties"):
                yield value
            elif name == "description":  # of the bounds that no keyword says
                yield from map(int, re.findall(r"at most (\d+) characters", value))
            else:
                yield from bounds_of(value)


def test_a_job_has_every_field_with_its_bounds_and_its_default() -> None:
    schemas = json.loads(OPENAPI.read_text())["components"]["schemas"]
    written, read = schemas["JobWrite"]["properties"], schemas["JobRead"]["properties"]
    told = rows("job.md")
    assert set(told) == {*written, *read}
    for name, schema in written.items():
        default, meaning = told[name]
        assert set(bounds_of(schema)) <= {int(number) for number in re.findall(r"\d+", meaning)}, name
        assert "default" not in schema or schema["default"] == json.loads(default), name
    assert f"at most {MAX_PAYLOAD_BYTES // 1024} KiB" in told["payload"][1]


@pytest.mark.parametrize("page", ["README.md", "docs/reference/guarantees.md"])
def test_folders_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`((?:tests|src|docs)/[\w/.]+)`", ROOT.joinpath(page).read_text())
    assert named
    assert [path for path in named if not ROOT.joinpath(path).exists()] == []

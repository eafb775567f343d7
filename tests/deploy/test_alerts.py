"""The shipped files for Prometheus, as far as they can be checked without it: `nox -s prometheus` does the rest."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.metric_names import every_metric

ROOT = Path(__file__).parents[2]
DEPLOYED = ROOT / "deploy" / "prometheus"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((DEPLOYED / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
TESTS = [
    wanted
    for test in yaml.safe_load((DEPLOYED / "alerts_test.yml").read_text())["tests"]
    for wanted in test["alert_rule_test"]
]


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_tested_to_fire_and_to_be_silent(alert: str) -> None:
    outcomes = [bool(wanted.get("exp_alerts")) for wanted in TESTS if wanted["alertname"] == alert]
    assert set(outcomes) == {True, False}


def test_no_test_names_an_alert_that_is_none() -> None:
    assert {wanted["alertname"] for wanted in TESTS} <= ALERTS.keys()


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_speak_of_metrics_that_there_are(alert: str) -> None:
    named = set(re.findall(r"cronhook_\w+", ALERTS[alert]["expr"]))
    assert named <= every_metric() | {f"{name}_bucket" for name in every_metric()}
    assert named or "up{" in ALERTS[alert]["expr"]


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_say_how_bad_it_is_and_what_to_do(alert: str) -> None:
    assert ALERTS[alert]["labels"]["severity"] in ("page", "ticket")
    assert {"summary", "description"} == ALERTS[alert]["annotations"].keys()
    guide = (ROOT / "docs" / "how_to" / "monitor.md").read_text()
    assert f"`{alert}`" in guide


def test_the_guide_names_no_alert_that_is_none() -> None:
    guide = (ROOT / "docs" / "how_to" / "monitor.md").read_text()
    assert set(re.findall(r"`(Cronhook[A-Z]\w+)`", guide)) <= ALERTS.keys()

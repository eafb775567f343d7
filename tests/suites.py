"""Which tests a plain run leaves to a nox session.

A plain `pytest` takes minutes on two cores. Longer tests are marked `suite("NAME")` and run in `nox -s NAME`, by
`pytest --suite NAME`; `full` and `debian` tests run with the option of that name. The summary counts what was left out
and names the session that runs it.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest

SUITES = {
    "faults": "real processes killed, stopped and cut off",
    "integration": "real servers, terminals and receivers that take their time",
}
LEFT_OUT = pytest.StashKey[Counter[str]]()
COLLECTED = pytest.StashKey[int]()
_COMMANDS = {
    "full": "nox -s faults -- --full",
    "debian": "nox -s prometheus compose pooler",
    **{name: f"nox -s {name}" for name in SUITES},
}
_WORKERS_PER_CORE = 2  # many tests wait for processes and deadlines


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite", choices=SUITES, help="run only the tests that are left to the nox session of this name")
    parser.addoption("--full", action="store_true", help="let faults happen as often and last as long as specified")
    parser.addoption("--debian", action="store_true", help="also run what downloads programs of Debian packages")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "suite(name): left to the nox session of that name, because it takes long")
    config.addinivalue_line("markers", "full: runs only with --full, because it takes very long")
    config.addinivalue_line("markers", "debian: runs only with --debian, because it downloads Debian packages")
    config.stash[LEFT_OUT] = Counter()
    config.stash[COLLECTED] = 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process for tests that were named on the command line, several for a whole run."""
    if config.args_source is config.ArgsSource.ARGS and not config.getoption("--suite"):
        return 0
    return _WORKERS_PER_CORE * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    counts: Counter[str] = Counter()
    for item in items:
        reason = _left_to(item, config)
        if reason is None:
            kept.append(item)
        else:
            left.append(item)
            counts[reason] += 1
    config.stash[COLLECTED] = len(items)
    config.stash[LEFT_OUT] = counts
    items[:] = kept
    config.hook.pytest_deselected(items=left)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of pytest-xdist reports its counts to the one that prints the summary."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["collected"] = session.config.stash[COLLECTED]
        output["left_out"] = dict(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Every process collects the same tests, so any one's counts are those of the run."""
    output = getattr(node, "workeroutput", None)
    if output and "collected" in output:
        node.config.stash[COLLECTED] = output["collected"]
        node.config.stash[LEFT_OUT] = Counter(output["left_out"])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    left_out = config.stash[LEFT_OUT]
    if not left_out or config.getoption("--suite"):
        return
    collected = config.stash[COLLECTED]
    terminalreporter.section("which tests ran")
    terminalreporter.write_line(f"{collected:>6} collected, {collected - left_out.total()} of them run here; left to:")
    for name, count in sorted(left_out.items()):
        terminalreporter.write_line(f"{count:>6} {_COMMANDS[name]}")


def _left_to(item: pytest.Item, config: pytest.Config) -> str | None:
    """The key in `_COMMANDS` of what runs the test instead; None where it runs here."""
    for option in ("full", "debian"):
        if item.get_closest_marker(option) and not config.getoption(f"--{option}"):
            return option
    marker = item.get_closest_marker("suite")
    suite = None if marker is None else str(marker.args[0])
    assert suite is None or suite in SUITES, f"{item.nodeid} is left to a session that does not exist: {suite}"
    chosen = config.getoption("--suite")
    if chosen:
        return None if suite == chosen else suite or "plain"
    return None if config.getoption("--full") else suite

"""``cronhook workspace limit``, in the database beside a running server."""

import pytest

from tests.integration.cli.conftest import Command
from tests.integration.client.running_server import RunningServer

CREATE = ("jobs", "create", "--name", "x", "--cron", "0 0 1 1 *", "--url", "http://127.0.0.1:9/x")


@pytest.fixture(autouse=True)
def beside_the_server(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)


def test_a_workspace_has_a_limit_of_its_own_at_once(cronhook: Command) -> None:
    name = cronhook("workspace", "show", "-o", "json").json["name"]
    limited = cronhook("workspace", "limit", name, "--max-jobs", "1", "-o", "json").json
    limits = {
        "max_jobs": 1,
        "max_queued_executions": 100_000,
        "max_queued_executions_per_job": 10_000,
        "max_stored_bytes": 1024**3,
    }
    usage = {"jobs": 0, "queued_executions": 0, "stored_bytes": 0}
    assert (limited["name"], limited["limits"], limited["usage"]) == (name, limits, usage)
    assert cronhook(*CREATE).code == 0
    refused = cronhook(*CREATE)
    assert refused.code != 0
    assert "maximum of 1 jobs" in refused.err
    assert cronhook("workspace", "show", "-o", "json").json["limits"] == limits
    assert cronhook("workspace", "limit", name, "--default").code == 0
    assert cronhook(*CREATE).code == 0


@pytest.mark.parametrize("arguments", [(), ("--max-jobs", "-1"), ("--max-jobs", "1", "--default")])
def test_a_limit_that_cannot_be(cronhook: Command, arguments: tuple[str, ...]) -> None:
    assert cronhook("workspace", "limit", "default", *arguments).code == 2


def test_nobody(cronhook: Command) -> None:
    assert cronhook("workspace", "limit", "nobody", "--max-jobs", "1").code == 3

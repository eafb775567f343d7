"""Every operation of the API's document is reached by a command."""

import re
from typing import Any

import pytest

from cronhook_client import Cronhook
from cronhook_client._transport import HttpxTransport
from cronhook_client.exchange import HttpAnswer, HttpRequest
from tests.integration.cli.conftest import Command
from tests.integration.client.running_server import RunningServer

Operation = tuple[str, str]

JOB = ("--name", "x", "--url", "http://127.0.0.1:9/x")
COMMANDS: dict[Operation, tuple[str, ...]] = {
    ("POST", "/v1/jobs"): ("jobs", "create", *JOB, "--in", "1h"),
    ("GET", "/v1/jobs"): ("jobs", "list"),
    ("GET", "/v1/jobs/{job_id}"): ("jobs", "show", "{job_id}"),
    ("PATCH", "/v1/jobs/{job_id}"): ("jobs", "update", "{job_id}", "--name", "y"),
    ("DELETE", "/v1/jobs/{job_id}"): ("jobs", "delete", "{job_id}", "--yes"),
    ("POST", "/v1/jobs/{job_id}/pause"): ("jobs", "pause", "{job_id}"),
    ("POST", "/v1/jobs/{job_id}/resume"): ("jobs", "resume", "{job_id}"),
    ("POST", "/v1/jobs/{job_id}/run"): ("jobs", "run", "{job_id}"),
    ("GET", "/v1/jobs/{job_id}/logs"): ("logs", "{job_id}"),
    ("GET", "/v1/jobs/{job_id}/executions"): ("executions", "list", "{job_id}"),
    ("GET", "/v1/executions/{execution_id}"): ("executions", "show", "{execution_id}"),
    ("POST", "/v1/executions/{execution_id}/cancel"): ("executions", "cancel", "{execution_id}"),
    ("POST", "/v1/executions/{execution_id}/replay"): ("executions", "replay", "{execution_id}"),
    ("POST", "/v1/schedules/preview"): ("jobs", "preview", "@daily"),
    ("GET", "/v1/keys"): ("keys", "list"),
    ("POST", "/v1/keys"): ("keys", "create"),
    ("DELETE", "/v1/keys/{key_id}"): ("keys", "revoke", "{key_id}"),
    ("POST", "/v1/keys/{key_id}/rotate"): ("keys", "rotate", "{key_id}"),
    ("GET", "/v1/workspace"): ("workspace", "show"),
    ("GET", "/v1/workspace/signing-secret"): ("workspace", "secret"),
    ("POST", "/v1/workspace/signing-secret/rotate"): ("workspace", "rotate-secret"),
    ("GET", "/health"): ("health",),
    ("GET", "/livez"): ("health", "--live"),
    ("GET", "/readyz"): ("health", "--ready"),
    ("GET", "/metrics"): ("metrics",),
    ("GET", "/openapi.json"): ("openapi",),
}
FOR_PEOPLE = {("GET", "/docs"), ("GET", "/docs/errors")}
REFUSED = {"cancel": 6, "replay": 6}
"""What the state of the ids below does not allow; the route is reached all the same."""


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[HttpRequest]:
    """The requests of the commands."""
    requests: list[HttpRequest] = []
    send = HttpxTransport.send

    def recorded(self: HttpxTransport, request: HttpRequest, /) -> HttpAnswer:
        requests.append(request)
        return send(self, request)

    monkeypatch.setattr(HttpxTransport, "send", recorded)
    return requests


@pytest.fixture
def ids(cronhook: Command, job: dict[str, Any]) -> dict[str, str]:
    key = cronhook("keys", "create", "--name", "another", "-o", "json").json
    execution = cronhook("jobs", "run", job["id"], "--wait-for", "0", "-o", "json")
    listed = cronhook("executions", "list", job["id"], "-o", "json").json
    assert execution.code in (1, 5)
    return {"job_id": job["id"], "key_id": key["id"], "execution_id": listed[0]["id"]}


def test_every_operation_has_a_command(server: RunningServer) -> None:
    with Cronhook("k", base_url=server.url) as client:
        document = client.health.openapi()
    operations = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert operations - FOR_PEOPLE == COMMANDS.keys()


@pytest.mark.parametrize("operation", COMMANDS, ids=" ".join)
def test_the_command_reaches_the_operation(
    operation: Operation, cronhook: Command, ids: dict[str, str], reached: list[HttpRequest], server: RunningServer
) -> None:
    reached.clear()
    command = [part.format(**ids) for part in COMMANDS[operation]]
    ended = cronhook(*command)
    assert ended.code in (0, REFUSED.get(command[1] if len(command) > 1 else "", 0)), ended.err
    method, path = operation
    url = re.escape(server.url) + re.sub(r"\{\w+\}", "[^/]+", path) + r"(\?.*)?"
    assert [request for request in reached if request.method == method and re.fullmatch(url, request.url)]

"""The client's calls against the OpenAPI document of the real server, both ways."""

import json
from collections import defaultdict
from typing import Any, get_args
from urllib.parse import parse_qsl, urlsplit

import pytest

from cronhook_client import Cronhook, words
from cronhook_client._call import Repeat, Route
from cronhook_client._routes import ROUTES
from tests.integration.client.running_server import RunningServer
from tests.unit.client.scripted_transport import ScriptedTransport
from tests.unit.client.test_calls import CALLS

Operations = dict[tuple[str, str], Any]

IDS = {"job_id": "job_1", "execution_id": "exe_1", "key_id": "key_1"}
FOR_PEOPLE = {("GET", "/docs"), ("GET", "/docs/errors")}
"""Pages that no program calls."""


@pytest.fixture(scope="module")
def document(server: RunningServer) -> dict[str, Any]:
    with Cronhook("k", base_url=server.url) as client:
        return client.health.openapi()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> Operations:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if (method.upper(), path) not in FOR_PEOPLE
    }


def parameters(operation: dict[str, Any], place: str) -> dict[str, Any]:
    return {found["name"]: found["schema"] for found in operation["parameters"] if found["in"] == place}


def sent_by_calls() -> tuple[dict[tuple[str, str], set[str]], dict[tuple[str, str], set[str]]]:
    """The query parameters, and the fields of bodies, that the table of calls has for each route."""
    queries, bodies = defaultdict(set), defaultdict(set)
    example = {(route.method, route.path.format(**IDS)): (route.method, route.path) for route in ROUTES}
    for ask, _, _, answered, _ in CALLS:
        transport = ScriptedTransport(answered)
        ask(Cronhook("k", base_url="http://host", transport=transport))
        (request,) = transport.requests
        url = urlsplit(request.url)
        route = example[request.method, url.path]
        queries[route] |= {name for name, _ in parse_qsl(url.query)}
        bodies[route] |= set(json.loads(request.body)) if request.body is not None else set()
    return queries, bodies


def test_every_route_is_called_and_every_call_has_a_route(operations: Operations) -> None:
    assert {(route.method, route.path) for route in ROUTES} == operations.keys()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_route_by_route(route: Route[Any], operations: Operations) -> None:
    operation = operations[route.method, route.path]
    assert set(parameters(operation, "path")) == {name for name in IDS if f"{{{name}}}" in route.path}
    assert {str(route.status), *map(str, route.told_by)} <= operation["responses"].keys()
    successes = {status for status in operation["responses"] if status < "300"}
    assert successes == {str(route.status)}
    assert bool(operation["security"]) == route.needs_key
    takes_key = "idempotency-key" in parameters(operation, "header")
    assert takes_key == (route.repeat is Repeat.KEYED)
    assert set(parameters(operation, "header")) <= {"idempotency-key"}


def test_all_that_can_be_asked_for_is_asked_for_and_nothing_else(
    document: dict[str, Any], operations: Operations
) -> None:
    queries, bodies = sent_by_calls()
    for route, operation in operations.items():
        assert queries[route] == parameters(operation, "query").keys(), route
        assert bodies[route] == fields_of(document, operation), route


def fields_of(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    if "requestBody" not in operation:
        return set()
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return set(document["components"]["schemas"][name]["properties"])


@pytest.mark.parametrize(
    ("path", "parameter", "typed"),
    [
        ("/v1/jobs", "status", words.JobStatusWord),
        ("/v1/jobs/{job_id}/executions", "status", words.ExecutionStatusWord),
        ("/v1/jobs/{job_id}/logs", "status", words.LogStatusWord),
        ("/v1/jobs/{job_id}/logs", "order", words.OrderWord),
    ],
)
def test_words_are_those_of_the_server(operations: Operations, path: str, parameter: str, typed: Any) -> None:
    alternatives = [get_args(part) or tuple(part) for part in get_args(typed) if not isinstance(part, str)]
    for alternative in alternatives or [get_args(typed)]:
        assert set(alternative) == set(parameters(operations["GET", path], "query")[parameter]["enum"])


def test_scopes_are_those_of_the_server(document: dict[str, Any]) -> None:
    scopes = document["components"]["schemas"]["KeyWrite"]["properties"]["scopes"]["items"]["enum"]
    for alternative in get_args(words.ScopeWord):
        assert set(get_args(alternative) or alternative) == set(scopes)

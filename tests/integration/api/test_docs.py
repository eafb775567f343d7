"""The document and its pages, held against the routes and against real answers."""

import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from cronhook_core.engine.delivery import webhook_request
from cronhook_core.testing.builders import NOW, make_id, make_job
from cronhook_core.wire.problem import KINDS
from cronhook_server.composition import Backends
from cronhook_server.openapi.document import document
from cronhook_server.openapi.page import CALLBACK_URL, docs_page, errors_page
from tests.integration.api.conftest import Api, job_body, memory_backends
from tests.unit.server.engine_values import make_claim


class _Links(HTMLParser):
    """The elements of a page, and whatever in it a browser could ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name in ("href", "src", "action", "srcset", "data")]


SNAPSHOT = Path(__file__).with_name("openapi.json")


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    async with memory_backends() as backends:
        yield backends


def test_the_document_changes_only_on_purpose() -> None:
    """Written anew by ``python -m tests.integration.api.write_openapi``."""
    told = document()
    assert json.loads(SNAPSHOT.read_text()) == told | {"info": told["info"] | {"version": "0"}}


async def test_every_route_is_described_and_no_other(api: Api) -> None:
    served = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in api.application.routes
        for method in route.methods
        if method != "OPTIONS"
    }
    assert served == {(path, method) for path, methods in document()["paths"].items() for method in methods}


async def test_real_answers_fit_their_schemas(api: Api) -> None:
    path = (await api.http.post("/v1/jobs", json=job_body())).headers["location"]
    run = (await api.http.post(f"{path}/run")).headers["location"]
    asked: list[tuple[str, str, str, Any]] = [
        ("POST", "/v1/jobs", "/v1/jobs", job_body()),
        ("POST", "/v1/jobs", "/v1/jobs", {}),
        ("GET", "/v1/jobs", "/v1/jobs", None),
        ("GET", path, "/v1/jobs/{job_id}", None),
        ("PATCH", path, "/v1/jobs/{job_id}", {"tags": ["a"]}),
        ("POST", f"{path}/pause", "/v1/jobs/{job_id}/pause", None),
        ("GET", f"{path}/executions", "/v1/jobs/{job_id}/executions", None),
        ("GET", f"{path}/logs", "/v1/jobs/{job_id}/logs", None),
        ("GET", run, "/v1/executions/{execution_id}", None),
        ("GET", "/v1/executions/x", "/v1/executions/{execution_id}", None),
        ("POST", f"{run}/replay", "/v1/executions/{execution_id}/replay", None),
        ("POST", "/v1/schedules/preview", "/v1/schedules/preview", {"cron": "30 2 * * *", "timezone": "Europe/Rome"}),
        ("POST", "/v1/keys", "/v1/keys", {"name": "a", "scopes": ["read"]}),
        ("GET", "/v1/keys", "/v1/keys", None),
        ("GET", "/v1/workspace", "/v1/workspace", None),
        ("GET", "/v1/workspace/signing-secret", "/v1/workspace/signing-secret", None),
        ("GET", "/health", "/health", None),
        ("GET", "/openapi.json", "/openapi.json", None),
    ]
    for method, where, template, body in asked:
        answered = await api.http.request(method, where, json=body)
        described = document()["paths"][template][method.lower()]["responses"][str(answered.status_code)]
        media_type = answered.headers["content-type"].split(";")[0]
        schema = described["content"][media_type]["schema"] | {"components": document()["components"]}
        Draft202012Validator(schema).validate(answered.json())


def test_every_example_fits_its_schema_and_every_answer_has_one() -> None:
    told = document()
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for media in answer.get("content", {}).values():
                    examples = [media["example"]] if "example" in media else _values(media["examples"])
                    assert examples, (method, path, status)
                    _check(media["schema"], examples)
            for media in operation.get("requestBody", {}).get("content", {}).values():
                _check(media["schema"], _values(media["examples"]))


def test_the_webhook_is_what_is_sent() -> None:
    claim = make_claim(make_job("wsp_1"), execution_id=make_id("exe"), payload=b'{"report":["sales",1]}')
    described = document()["webhooks"]["webhook"]["post"]
    sent = webhook_request(claim, [b"one", b"another"], NOW, "cronhook")
    headers = dict(sent.headers)
    assert headers.keys() - {"content-type", "user-agent"} == {one["name"] for one in described["parameters"]}
    for one in described["parameters"]:
        text = headers[one["name"]]
        _check(one["schema"], [one["example"], int(text) if one["schema"]["type"] == "integer" else text])
    media = described["requestBody"]["content"]["application/json"]
    _check(media["schema"], [*_values(media["examples"]), json.loads(sent.body)])


def test_every_answer_is_closed_and_complete() -> None:
    schemas = document()["components"]["schemas"]
    read = {name: schema for name, schema in schemas.items() if schema.get("type") == "object"}
    for name, schema in read.items():
        assert schema["additionalProperties"] is False, name
        if not name.endswith(("Write", "Patch", "Rotate")):
            always = [field for field in schema["properties"] if (name, field) != ("JobRead", "payload")]
            assert schema.get("required", []) == always, name


def _values(examples: Any) -> list[Any]:
    return [example["value"] for example in examples.values()]


def _check(schema: Any, examples: list[Any]) -> None:
    validator = Draft202012Validator(schema | {"components": document()["components"]})
    for example in examples:
        validator.validate(example)


async def test_the_pages_ask_nobody_else(api: Api) -> None:
    async with api.sending({}) as http:
        assert (await http.get("/openapi.json")).json() == document()
        for path in ("/docs", "/docs/errors"):
            page = await http.get(path)
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            links = _Links(page.text)
            assert all(target.startswith(("/", "#")) for target in links.targets), links.targets
            assert links.tags.isdisjoint({"script", "img", "iframe", "object", "embed", "form", "base"})
            assert not re.search(r"@import|url\(", page.text)


def test_the_page_shows_every_operation_with_its_parameters_and_fields() -> None:
    page, told = docs_page().decode(), document()
    assert "`" not in page
    schemas = told["components"]["schemas"]
    called = [(CALLBACK_URL, methods) for methods in told["webhooks"].values()]
    for path, methods in (*told["paths"].items(), *called):
        for operation in methods.values():
            _, _, behind = page.partition(f'<article id="{operation["operationId"]}">')
            article = behind.partition("</article>")[0]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            fields = schemas[body["$ref"].rpartition("/")[2]].get("properties", {}) if body else {}
            names = [path, *fields, *(parameter["name"] for parameter in operation["parameters"])]
            assert [name for name in names if f"<code>{name}</code>" not in article] == []
            assert [status for status in operation["responses"] if f"<td>{status}<td>" not in article] == []


def test_links_within_the_pages_lead_somewhere() -> None:
    pages = {"/docs": docs_page().decode(), "/docs/errors": errors_page().decode()}
    for here, page in pages.items():
        for target in _Links(page).targets:
            path, _, anchor = target.partition("#")
            assert (path or here) in {*pages, "/openapi.json"}, target
            assert not anchor or f'id="{anchor}"' in pages[path or here], target


async def test_every_code_has_its_place(api: Api) -> None:
    page = (await api.http.get("/docs/errors")).text
    assert [code for code in KINDS if f'id="{code}"' not in page] == []

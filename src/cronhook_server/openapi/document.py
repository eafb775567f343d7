"""The OpenAPI 3.1 document."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import Any

import attrs

from cronhook_core.wire import v1
from cronhook_server.auth import HEADER
from cronhook_server.openapi.bounds import DOCUMENT, JSON_VALUE, Schema, id_of
from cronhook_server.openapi.examples import BODIES
from cronhook_server.openapi.operations import (
    EXAMPLE_IDS,
    IDEMPOTENCY_KEY,
    NOTHING,
    OPERATIONS,
    Document,
    Operation,
)
from cronhook_server.openapi.responses import HEADERS, responses_of
from cronhook_server.openapi.schemas import partial, reference_to, schemas_of
from cronhook_server.openapi.webhook import TAG, webhooks

_TAGS = {
    "jobs": "What is to be called, and when.",
    "executions": "One occurrence of a job each.",
    "schedules": "Cron lines, before anything is stored.",
    "keys": "Who may call this API.",
    "workspace": "Limits, usage, and the secret that signs webhooks.",
    TAG: "What cronhook sends to callback URLs.",
    "probes": "For operators; they need no key.",
    "documents": "What the API says of itself; they need no key.",
}
_PREFIXES = {"job_id": "job", "execution_id": "exe", "key_id": "key"}


@cache
def document() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cronhook",
            "version": version("cronhook"),
            "summary": "Scheduled webhooks that you own.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "webhooks": webhooks(),
        "components": {
            "schemas": _schemas(),
            "headers": HEADERS,
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": HEADER}},
        },
    }


def _schemas() -> dict[str, Schema]:
    read = {operation.model for operation in OPERATIONS if operation.model and attrs.has(operation.model)}
    written = {v1.JobWrite, v1.PreviewWrite, v1.KeyWrite, v1.KeyRotate, v1.SecretRotate}
    schemas = schemas_of(*read, *written, v1.Problem)
    schemas["JobPatch"] = partial(schemas["JobWrite"], "JobPatch")
    schemas["JsonValue"] = JSON_VALUE
    schemas[Document.__name__] = DOCUMENT
    schemas[NOTHING] = {"type": "object", "properties": {}, "additionalProperties": False}
    return dict(sorted(schemas.items()))


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": responses_of(operation),
        "security": [{"key": []}] if operation.scope else [],
    }
    if operation.scope:
        described["description"] = f"Needs a key with the scope `{operation.scope}`."
    if operation.body is not None:
        examples = {name: {"value": value} for name, value in BODIES[operation.body].items()}
        content = {"schema": reference_to(operation.body), "examples": examples}
        described["requestBody"] = {"required": operation.body_required, "content": {"application/json": content}}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = [_path_parameter(name) for name in re.findall(r"{(\w+)}", operation.path)]
    in_query = [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in operation.query]
    return [*in_path, *in_query, *([IDEMPOTENCY_KEY] if operation.idempotent else [])]


def _path_parameter(name: str) -> dict[str, Any]:
    prefix = _PREFIXES[name]
    schema = {"type": "string", **id_of(prefix)}
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": EXAMPLE_IDS[prefix]}

"""The OpenAPI 3.1 document."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from typing import Any

import attrs

from cronhook_core.wire import v1
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.problem import KINDS, RETRY_AFTER_SECONDS, problem
from cronhook_server.openapi.operations import OPERATIONS, Operation
from cronhook_server.openapi.schemas import Schema, reference, schemas_of
from cronhook_server.problems import MEDIA_TYPE

_REQUEST_ID = "req_0123456789abcdef01234567"


@cache
def document() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "cronhook", "version": version("cronhook"), "summary": "Scheduled webhooks that you own."},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
    }


def _schemas() -> dict[str, Schema]:
    bodies = {operation.body for operation in OPERATIONS} | {operation.model for operation in OPERATIONS}
    models = [model for model in bodies if isinstance(model, type) and attrs.has(model)]
    schemas = schemas_of(*sorted(models, key=lambda model: model.__name__), v1.Problem)
    patch = schemas["JobWrite"] | {"required": []}
    schemas["JobPatch"] = patch
    return schemas


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
        "security": [{"key": []}] if operation.scope else [],
    }
    if operation.scope:
        described["description"] = f"Needs a key with the scope `{operation.scope}`."
    if operation.body is not None:
        schema = reference(operation.body)
        if operation.method == "patch":
            schema = {"$ref": "#/components/schemas/JobPatch"}
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    in_query = [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in operation.query]
    key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
    header = [{"name": "idempotency-key", "in": "header", "required": False, "schema": key}]
    return [*in_path, *in_query, *(header if operation.idempotent else [])]


def _responses(operation: Operation) -> dict[str, Any]:
    answered: dict[str, Any] = {"description": operation.summary}
    if operation.model is not None:
        schema = reference(operation.model) if attrs.has(operation.model) else {"type": "string"}
        answered["content"] = {operation.content_type: {"schema": schema}}
    responses = {str(status): answered for status in (operation.status, *operation.also)}
    for status in sorted(_problem_statuses(operation)):
        responses.setdefault(str(status), _problem(status, operation.path))
    return responses


def _problem_statuses(operation: Operation) -> set[int]:
    if operation.scope is None:
        return {500}
    return {400, 401, 403, 429, 500, 503, *operation.problems}


def _problem(status: int, path: str) -> dict[str, Any]:
    codes = [code for code, kind in KINDS.items() if kind.status == status]
    described: dict[str, Any] = {
        "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
        "content": {
            MEDIA_TYPE: {
                "schema": reference(v1.Problem),
                "examples": {code: {"value": _example(code, path)} for code in codes},
            }
        },
    }
    if any(code in RETRY_AFTER_SECONDS for code in codes):
        described["headers"] = {"retry-after": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return described


def _example(code: str, path: str) -> Any:
    return to_json(problem(code, f"{KINDS[code].title}.", instance=path, request_id=_REQUEST_ID))

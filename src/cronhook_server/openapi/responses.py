"""What an operation answers, status by status."""

from __future__ import annotations

from typing import Any

from cronhook_core.wire import v1
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.problem import KINDS, RETRY_AFTER_SECONDS, problem
from cronhook_server.openapi.bounds import Schema
from cronhook_server.openapi.examples import REQUEST_ID, example_of
from cronhook_server.openapi.operations import OPERATIONS, Operation
from cronhook_server.openapi.schemas import reference
from cronhook_server.pages import PROBLEM

_EVERYWHERE = ("invalid_request", "method_not_allowed", "internal")
"""What is no HTTP, or no URL with its host, is not valid whatever the path."""
_WITH_KEY = ("unauthenticated", "forbidden", "rate_limited", "unavailable")

HEADERS: dict[str, Schema] = {
    "x-request-id": {
        "description": "Names this request in the server's log.",
        "required": True,
        "schema": {"type": "string", "pattern": "^req_[0-9a-f]{24}$"},
    },
    "location": {
        "description": "The path of what was made.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "retry-after": {
        "description": "Seconds after which another try makes sense.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "ratelimit": {
        "description": "How many more requests this key may make at once (`r`), and in how many seconds it may make "
        "its whole burst again (`t`). Not where rates are off.",
        "required": False,
        "schema": {"type": "string", "pattern": '^"default";r=[0-9]+;t=[0-9]+$'},
    },
    "ratelimit-policy": {
        "description": "How many requests a key may make at once (`q`), and in how many seconds as many again (`w`). "
        "Not where rates are off.",
        "required": False,
        "schema": {"type": "string", "pattern": '^"default";q=[0-9]+;w=[0-9]+$'},
    },
    "allow": {"description": "The methods of this path.", "required": True, "schema": {"type": "string"}},
    "www-authenticate": {"description": "What is asked for.", "required": True, "schema": {"type": "string"}},
}
_OF_MODEL: dict[type[Any], str] = {
    v1.JobRead: "The job.",
    v1.JobPage: "A page of jobs.",
    v1.ExecutionRead: "The execution.",
    v1.ExecutionDetail: "The execution with its attempts.",
    v1.ExecutionPage: "A page of executions.",
    v1.LogPage: "A page of attempts.",
    v1.PreviewRead: "The next instants, and what is to be known of them.",
    v1.KeyMade: "The new key, whose text is shown this once.",
    v1.KeyList: "All keys, the last that have ended among them.",
    v1.WorkspaceRead: "The workspace, its limits beside its usage.",
    v1.SigningSecretRead: "The secret that signs webhooks.",
    v1.Health: "All is well.",
}
_RATE = ("ratelimit", "ratelimit-policy")
_OF_STATUS = {401: "www-authenticate", 405: "allow"}


def responses_of(operation: Operation) -> dict[str, Any]:
    told = {status: _answer(operation, status) for status in (operation.status, *operation.also)}
    codes = (*_EVERYWHERE, *(_WITH_KEY if operation.scope else ()), *operation.codes)
    for status in sorted({KINDS[code].status for code in codes} - told.keys()):
        told[status] = _problem([code for code in KINDS if code in codes and KINDS[code].status == status], operation)
    return {str(status): told[status] for status in sorted(told)}


def _answer(operation: Operation, status: int) -> Schema:
    described: Schema = {"description": _told(operation, status), "headers": _headers("x-request-id")}
    if operation.scope:
        described["headers"] |= _headers(*_RATE)
    if operation.location:
        described["headers"] |= _headers("location")
    if operation.model is None:
        return described
    schema = {"type": "string"} if operation.model is str else reference(operation.model)
    content = {"schema": schema, "example": example_of(operation, status)}
    described["content"] = {operation.content_type: content}
    return described | ({"links": _links(operation.makes)} if operation.makes else {})


def _told(operation: Operation, status: int) -> str:
    if operation.model is None:
        return "Done; there is no body."
    if operation.model is v1.Health and status != 200:
        return "A dependency does not answer."
    return _OF_MODEL.get(operation.model, f"{operation.summary}.")


def _links(made: str) -> dict[str, Schema]:
    """What can be done with what was made: its id names it in other paths."""
    return {
        operation.name: {"operationId": operation.name, "parameters": {made: "$response.body#/id"}}
        for operation in OPERATIONS
        if f"{{{made}}}" in operation.path
    }


def _problem(codes: list[str], operation: Operation) -> Schema:
    status = KINDS[codes[0]].status
    also = _OF_STATUS.get(status) or ("retry-after" if RETRY_AFTER_SECONDS.keys() & set(codes) else "")
    rate = _RATE if "rate_limited" in codes else ()
    return {
        "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
        "headers": _headers("x-request-id", *([also] if also else []), *rate),
        "content": {
            PROBLEM: {
                "schema": reference(v1.Problem),
                "examples": {code: {"value": _example(code, operation.path)} for code in codes},
            }
        },
    }


def _headers(*names: str) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _example(code: str, path: str) -> Any:
    pointers = {"invalid_request": "/name", "invalid_headers": "/headers/host"}
    word = code.removeprefix("invalid_")
    errors = [(pointers.get(code, f"/{word}"), KINDS[code].title)] if code.startswith("invalid_") else []
    return to_json(problem(code, f"{KINDS[code].title}.", instance=path, request_id=REQUEST_ID, errors=errors))

"""What callback URLs get, and what their answers mean: the one part that is about other people's servers."""

from __future__ import annotations

from typing import Any

from cronhook_server.openapi.bounds import Schema, id_of
from cronhook_server.openapi.operations import EXAMPLE_IDS

TAG = "webhooks"
NAME = "webhook"

_SIGNED = (
    "Sent to a job's `callback_url` for each attempt of an execution, with the job's own headers beside these. The"
    " signature is that of Standard Webhooks 1.0, under the secret of `GET /v1/workspace/signing-secret`; it covers"
    " the id, the timestamp and the body, and not the headers that begin with `cronhook-`. Refuse timestamps more than"
    " five minutes away, and handle each `webhook-id` once: it is the same in all attempts. The job's `timeout_seconds`"
    " are for everything, from looking up the name to the end of the answer."
)
_HEADERS: tuple[tuple[str, str, Schema, Any], ...] = (
    ("webhook-id", "The execution.", {"type": "string", **id_of("exe")}, EXAMPLE_IDS["exe"]),
    (
        "webhook-timestamp",
        "When this attempt was sent, in Unix seconds.",
        {"type": "string", "pattern": "^[0-9]+$"},
        "1772438400",
    ),
    (
        "webhook-signature",
        "HMAC-SHA256 of `id.timestamp.body`; two, with a space between them, while a rotation of the secret runs.",
        {"type": "string", "pattern": "^v1,[0-9A-Za-z+/]{43}=( v1,[0-9A-Za-z+/]{43}=)?$"},
        "v1,boirU5p1JLvlrKkQcI45FOSVj0IeUl7218FG0e87nko=",
    ),
    ("cronhook-job-id", "The job.", {"type": "string", **id_of("job")}, EXAMPLE_IDS["job"]),
    (
        "cronhook-scheduled-for",
        "The instant that the execution is for, in UTC; of a run by hand, when that was asked for.",
        {"type": "string", "format": "date-time"},
        "2026-03-02T08:00:00Z",
    ),
    (
        "cronhook-attempt",
        "The number of the attempt. A pair of id and attempt is never sent twice.",
        {"type": "integer", "minimum": 1},
        1,
    ),
)
_EXAMPLE = {"report": "sales"}
_ANSWERS = {
    "2XX": "The execution has succeeded, whatever the body is.",
    "410": "The execution has failed, and the job ends: it becomes inactive (`gone`).",
    "429": "A retry, not before the time that `retry-after` says, up to 24 hours.",
    "503": "A retry, not before the time that `retry-after` says, up to 24 hours.",
    "default": "A retry after the next of the job's `retry_delays_seconds`; also for redirects, and where none comes.",
}


def webhooks() -> dict[str, Any]:
    """The member ``webhooks`` of an OpenAPI 3.1 document."""
    payload = {"schema": {"$ref": "#/components/schemas/JsonValue"}, "examples": {"report": {"value": _EXAMPLE}}}
    described = {
        "operationId": NAME,
        "tags": [TAG],
        "summary": "What a callback URL gets",
        "description": _SIGNED,
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": schema,
                "example": example,
            }
            for name, description, schema, example in _HEADERS
        ],
        "requestBody": {
            "description": "The job's `payload`; `null` for a job without one.",
            "required": True,
            "content": {"application/json": payload},
        },
        "responses": {status: {"description": meaning} for status, meaning in _ANSWERS.items()},
        "security": [],
    }
    return {NAME: {"post": described}}

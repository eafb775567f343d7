"""What the types of the wire's models do not say: lengths, ranges, patterns, formats, and which fields go together."""

from __future__ import annotations

from sys import float_info
from typing import Any

from cronhook_core.domain import callback_headers, labels
from cronhook_core.domain.callback_url import MAX_URL_LENGTH
from cronhook_core.domain.cron_expression import MAX_LENGTH as MAX_CRON_LENGTH
from cronhook_core.domain.job import MAX_NAME_LENGTH, MAX_TIMEOUT, MIN_TIMEOUT
from cronhook_core.domain.retry_policy import MAX_DELAY, MAX_DELAYS, MIN_DELAY
from cronhook_core.wire.preview import MAX_COUNT
from cronhook_core.wire.problem import KINDS, MAX_ERRORS
from cronhook_core.wire.seconds import to_seconds
from cronhook_core.wire.strict_json import MAX_INTEGER, MIN_INTEGER
from cronhook_server.grace import MAX_GRACE
from cronhook_server.key_service import MAX_NAME_LENGTH as MAX_KEY_NAME_LENGTH
from cronhook_server.key_service import NAME_PATTERN
from cronhook_server.routes.logs import LogStatus
from cronhook_server.routes.paging import MAX_LIMIT

Schema = dict[str, Any]

_BLANKS = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
TEXT: Schema = {"pattern": r"^[^\x00]*$"}
NOT_BLANK: Schema = {"pattern": rf"^[^\x00]*[^\x00{_BLANKS}][^\x00]*$"}


def id_of(prefix: str, more: int = 0) -> Schema:
    return {"pattern": f"^{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{{25 + more}}}$"}


def _name(length: int) -> Schema:
    return {"minLength": 1, "maxLength": length, **NOT_BLANK}


def _text(length: int) -> Schema:
    return {"maxLength": length, **TEXT}


JSON_VALUE: Schema = {
    "anyOf": [
        {"type": "null"},
        {"type": "boolean"},
        {"type": "integer", "minimum": MIN_INTEGER, "maximum": MAX_INTEGER},
        {"type": "number", "minimum": -float_info.max, "maximum": float_info.max},
        {"type": "string", **TEXT},
        {"type": "array", "items": {"$ref": "#/components/schemas/JsonValue"}},
        {
            "type": "object",
            "propertyNames": {"type": "string", **TEXT},
            "additionalProperties": {"$ref": "#/components/schemas/JsonValue"},
        },
    ]
}
"""Any JSON (RFC 8259) that other programs read as we do."""


def _closed(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_NAMED: Schema = {"type": "object", "additionalProperties": {"type": "object"}}
DOCUMENT = _closed(
    openapi={"type": "string", "pattern": r"^3\.1\.[0-9]+$"},
    info=_closed(
        title={"type": "string"},
        version={"type": "string"},
        summary={"type": "string"},
        license=_closed(name={"type": "string"}, identifier={"type": "string"}),
    ),
    servers={"type": "array", "items": _closed(url={"type": "string"})},
    tags={"type": "array", "items": _closed(name={"type": "string"}, description={"type": "string"})},
    paths=_NAMED,
    webhooks=_NAMED,
    components=_closed(schemas=_NAMED, headers=_NAMED, securitySchemes=_NAMED),
)
"""As much of OpenAPI as the document itself uses."""

# Texts with a format of ours have their greatest length in words: keywords for it would say nothing more to a program.
CRON: Schema = {
    "format": "cron",
    "description": f"Five fields, or a macro like `@daily`: at most {MAX_CRON_LENGTH} characters.",
}
ZONE: Schema = {"format": "time-zone"}
INSTANT: Schema = {"format": "instant"}
"""RFC 3339, with any offset: what is read is wider than the ``date-time`` that is written, and a moment ahead."""
GRACE: Schema = {"minimum": 0, "maximum": to_seconds(MAX_GRACE)}

_JOB: dict[str, Schema] = {
    "name": _name(MAX_NAME_LENGTH),
    "cron": CRON,
    "run_at": INSTANT | {"description": "From a minute ago to ten years ahead; fires once."},
    "timezone": ZONE | {"description": "An IANA name; goes with `cron`, and is UTC where it is left out."},
    "callback_url": {
        "format": "uri",
        "description": f"A public address, http or https: at most {MAX_URL_LENGTH} characters.",
    },
    "headers": {
        "maxProperties": callback_headers.MAX_HEADERS,
        "propertyNames": {
            "type": "string",
            "format": "header-name",
            "pattern": r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$",
        },
        "additionalProperties": {
            "maxLength": callback_headers.MAX_VALUE_LENGTH,
            "pattern": r"^([!-~]([\t -~]*[!-~])?)?$",
        },
        "description": "Names differ by more than case; those of framing and of cronhook's own headers are refused. "
        f"A name has at most {callback_headers.MAX_NAME_LENGTH} characters. "
        f"All together have at most {callback_headers.MAX_TOTAL_LENGTH} characters.",
    },
    "payload": {"$ref": "#/components/schemas/JsonValue"},
    "timeout_seconds": {"minimum": to_seconds(MIN_TIMEOUT), "maximum": to_seconds(MAX_TIMEOUT)},
    "retry_delays_seconds": {
        "maxItems": MAX_DELAYS,
        "items": {"minimum": to_seconds(MIN_DELAY), "maximum": to_seconds(MAX_DELAY)},
    },
    "tags": {"maxItems": labels.MAX_TAGS, "items": _name(labels.MAX_TAG_LENGTH)},
    "metadata": {
        "maxProperties": labels.MAX_METADATA,
        "propertyNames": {
            "type": "string",
            "minLength": 1,
            **_text(labels.MAX_METADATA_KEY_LENGTH),
        },
        "additionalProperties": _text(labels.MAX_METADATA_VALUE_LENGTH),
    },
}
_KEY_NAME: Schema = {"minLength": 1, "maxLength": MAX_KEY_NAME_LENGTH, "pattern": NAME_PATTERN}
_SCOPES: Schema = {"minItems": 1, "uniqueItems": True}

_FIELDS: dict[str, dict[str, Schema]] = {
    "JobWrite": _JOB,
    "JobRead": {
        **_JOB,
        "id": id_of("job"),
        "run_at": {},
        "timezone": ZONE,
        "callback_url": {"pattern": "^https?://"},
        "headers": {"description": "Values of secret headers are `***`."},
        "payload": _JOB["payload"] | {"description": "Left out of lists, unless `include=payload` asks for it."},
    },
    "JobPage": {"data": {"maxItems": MAX_LIMIT}},
    "ExecutionRead": {
        "id": id_of("exe"),
        "job_id": id_of("job"),
        "attempts": {"minimum": 0},
        "missed_count": {"minimum": 0},
    },
    "ExecutionPage": {"data": {"maxItems": MAX_LIMIT}},
    "LogRow": {
        "id": id_of("log", 4),
        "job_id": id_of("job"),
        "execution_id": id_of("exe"),
        "attempt": {"minimum": 1},
        "status": {"enum": [word.value for word in LogStatus]},
        "response_status": {"minimum": 100, "maximum": 999},
        "duration_ms": {"minimum": 0},
    },
    "LogPage": {"data": {"maxItems": MAX_LIMIT}, "total": {"minimum": 0}},
    "PreviewWrite": {
        "cron": CRON,
        "timezone": _JOB["timezone"],
        "run_at": _JOB["run_at"],
        "after": INSTANT | {"description": "Goes with `cron`: instants later than this one. Left out: later than now."},
        "count": {"minimum": 1, "maximum": MAX_COUNT},
    },
    "PreviewRead": {"data": {"maxItems": MAX_COUNT}},
    "PreviewInstant": {"local": {"format": "date-time"}},
    "KeyWrite": {
        "name": _KEY_NAME,
        "scopes": _SCOPES,
        "expires_at": INSTANT | {"description": "In the future. Null: it does not expire by itself."},
    },
    "KeyRotate": {"grace_seconds": GRACE},
    "SecretRotate": {"grace_seconds": GRACE},
    "KeyRead": {"id": id_of("key"), "prefix": {"pattern": "^chk_[0-9A-Za-z]{8}$"}, "scopes": _SCOPES},
    "KeyMade": {"key": {"pattern": "^chk_[0-9A-Za-z]{49}$"}},
    "WorkspaceRead": {"id": id_of("wsp")},
    "Limits": {
        "max_jobs": {"minimum": 0},
        "max_queued_executions": {"minimum": 0},
        "max_queued_executions_per_job": {"minimum": 0},
        "max_stored_bytes": {"minimum": 1},
    },
    "Usage": {
        "jobs": {"minimum": 0},
        "queued_executions": {"minimum": 0},
        "stored_bytes": {
            "minimum": 0,
            "description": "What the jobs that are not deleted take, inactive ones included. What was removed after "
            "the retention may be in it until the limit is reached.",
        },
    },
    "SigningSecretRead": {"secret": {"pattern": "^whsec_[0-9A-Za-z+/]+=*$"}, "version": {"minimum": 1}},
    "HealthCheck": {"latency_ms": {"minimum": 0}},
    "Problem": {
        "status": {"minimum": 400, "maximum": 599},
        "code": {"enum": list(KINDS)},
        "request_id": {"pattern": "^req_[0-9a-f]{24}$"},
        "errors": {"maxItems": MAX_ERRORS},
    },
}
_FIELDS["ExecutionDetail"] = _FIELDS["ExecutionRead"]
_FIELDS["KeyMade"] |= _FIELDS["KeyRead"]

BOUNDS = {(model, field): bounds for model, fields in _FIELDS.items() for field, bounds in fields.items()}

_NULL: Schema = {"type": "null"}
_STRING: Schema = {"type": "string"}
_BY_CRON: Schema = {"required": ["cron"], "properties": {"cron": _STRING, "run_at": _NULL}}
_ONCE: Schema = {"required": ["run_at"], "properties": {"run_at": _STRING, "cron": _NULL, "timezone": _NULL}}
_AS_BEFORE: Schema = {"properties": {"cron": False, "run_at": False}}

RULES: dict[str, Schema] = {
    "JobWrite": {"oneOf": [_BY_CRON, _ONCE]},
    "JobPatch": {"oneOf": [_AS_BEFORE, _BY_CRON, _ONCE]},
    "PreviewWrite": {"oneOf": [_BY_CRON, _ONCE | {"properties": _ONCE["properties"] | {"after": _NULL}}]},
}
"""Exactly one of these holds as well."""

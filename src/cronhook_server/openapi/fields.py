"""What a schema says, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping

from attrs import frozen

from cronhook_server.openapi.bounds import Schema

_RANGES = (
    ("minLength", "maxLength", " characters"),
    ("minimum", "maximum", ""),
    ("minItems", "maxItems", " of them"),
    ("minProperties", "maxProperties", " of them"),
)
_REFERENCES = {"JsonValue": "any JSON"}


@frozen(kw_only=True)
class Field:
    """``place`` says where a parameter stands, and is empty for a field of a body."""

    name: str
    place: str = ""
    required: bool = False
    rules: str
    description: str = ""


def fields_of(schema: Schema, schemas: Mapping[str, Schema]) -> list[Field]:
    """The fields of the object that the schema refers to; none where it may be anything."""
    found = schemas[_name(schema)]
    return [
        Field(
            name=name,
            required=name in found["required"],
            rules=told(described),
            description=_description(described),
        )
        for name, described in found.get("properties", {}).items()
    ]


def told(schema: Schema) -> str:
    """Type and bounds. Patterns are for programs: they are left out."""
    if "$ref" in schema:
        return _REFERENCES[_name(schema)]
    if "anyOf" in schema:
        return " or ".join(told(part) for part in schema["anyOf"])
    if "enum" in schema:
        words = " · ".join(f"`{word}`" for word in schema["enum"])
        return f"{words}{_default(schema)}"
    ranges = [
        _range(schema.get(least), schema.get(most)) + unit
        for least, most, unit in _RANGES
        if {least, most} & schema.keys()
    ]
    written = [f"format `{schema['format']}`"] if "format" in schema else []
    return ", ".join([_type(schema), *ranges, *written]) + _default(schema)


def _range(least: float | None, most: float | None) -> str:
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if least is None else f"{least} to {most}"


def _type(schema: Schema) -> str:
    kind = str(schema["type"])
    inner = schema.get("items") if kind == "array" else schema.get("additionalProperties")
    return f"{kind} ({told(inner)} each)" if isinstance(inner, dict) else kind


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return ""
    default = schema["default"]
    return f", default `{default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)}`"


def _description(schema: Schema) -> str:
    parts = [schema, *schema.get("anyOf", ())]
    return next((str(part["description"]) for part in parts if "description" in part), "")


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]

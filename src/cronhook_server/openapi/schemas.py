"""JSON Schemas (2020-12) of the wire's models."""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from cronhook_core.wire.converter import to_json
from cronhook_core.wire.not_included import NOT_INCLUDED
from cronhook_server.openapi.bounds import BOUNDS, RULES, Schema

_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
    Any: {},
}


def schemas_of(*models: type[Any]) -> dict[str, Schema]:
    """The schemas of these models and of all that they hold, by name."""
    found: dict[str, Schema] = {}
    for model in models:
        _add(model, found)
    return dict(sorted(found.items()))


def reference(model: type[Any]) -> Schema:
    return reference_to(model.__name__)


def reference_to(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def partial(schema: Schema, name: str) -> Schema:
    """The schema of an object of which every field may be left out and then stays as it is."""
    fields = {field: _without_default(described) for field, described in schema["properties"].items()}
    return schema | {"properties": fields, "required": []} | RULES.get(name, {})


def _add(model: type[Any], found: dict[str, Schema]) -> None:
    name = model.__name__
    if name in found:
        return
    hints = get_type_hints(model)
    schema: Schema = {}
    found[name] = schema
    reads = not name.endswith(("Write", "Rotate"))
    attributes = attrs.fields(model)
    schema |= {
        "type": "object",
        "properties": {
            attribute.name: _field(name, attribute, hints[attribute.name], found) for attribute in attributes
        },
        "required": [attribute.name for attribute in attributes if _is_required(attribute, reads=reads)],
        "additionalProperties": False,
        **({} if reads else RULES.get(name, {})),
    }


def _is_required(attribute: attrs.Attribute[Any], *, reads: bool) -> bool:
    """Whether it is always there: in what is read, also where the model has a default for it."""
    return attribute.default is attrs.NOTHING or (reads and attribute.default is not NOT_INCLUDED)


def _field(model: str, attribute: attrs.Attribute[Any], hint: Any, found: dict[str, Schema]) -> Schema:
    schema = _bounded(_schema(hint, found), BOUNDS.get((model, attribute.name), {}))
    default = attribute.default
    if model.endswith(("Write", "Rotate")) and default is not attrs.NOTHING and default is not None:
        value = default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]
        schema |= {"default": to_json(value)}
    return schema


def _schema(hint: Any, found: dict[str, Schema]) -> Schema:
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if attrs.has(hint):
        _add(hint, found)
        return reference(hint)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(part, found) for part in get_args(hint)]}
    if origin is tuple:
        return {"type": "array", "items": _schema(get_args(hint)[0], found)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _schema(get_args(hint)[1], found)}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [word.value for word in hint]}
    raise TypeError(f"no schema says {hint}")


def _bounded(schema: Schema, bounds: Schema) -> Schema:
    """The schema within bounds, which hold for what is not null, and for items and values where they name these."""
    if "anyOf" in schema and bounds:
        parts = [part if part == {"type": "null"} else _bounded(part, bounds) for part in schema["anyOf"]]
        return {"anyOf": parts}
    nested = {
        key: _bounded(schema[key], bounds[key])
        for key in ("items", "additionalProperties")
        if key in schema and key in bounds
    }
    return schema | bounds | nested


def _without_default(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "default"}

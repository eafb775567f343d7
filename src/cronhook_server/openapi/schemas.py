"""JSON Schemas (2020-12) of the wire's models."""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

Schema = dict[str, Any]

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
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _add(model: type[Any], found: dict[str, Schema]) -> None:
    if model.__name__ in found:
        return
    hints = get_type_hints(model)
    schema: Schema = {}
    found[model.__name__] = schema
    reads = not model.__name__.endswith(("Write", "Rotate"))
    attributes = attrs.fields(model)
    schema |= {
        "type": "object",
        "properties": {attribute.name: _schema(hints[attribute.name], found) for attribute in attributes},
        "required": [attribute.name for attribute in attributes if reads or attribute.default is attrs.NOTHING],
        "additionalProperties": False,
    }


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

"""Writing bodies and query strings from the arguments of calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cronhook_client.not_given import NOT_GIVEN, NotGiven
from cronhook_core.wire.instant import write_instant
from cronhook_core.wire.strict_json import render_json


def body_of(**fields: Any) -> bytes:
    """A JSON object of the fields that are given.

    Raises ValueError or TypeError for what JSON cannot hold: NaN, lone surrogates, objects of other types.
    """
    return render_json({name: value for name, value in fields.items() if value is not NOT_GIVEN})


def unless_none(value: Any) -> Any:
    """None becomes `NOT_GIVEN`: the field is left out, and the server's default holds."""
    return NOT_GIVEN if value is None else value


def query_of(**fields: object) -> tuple[tuple[str, str], ...]:
    """The fields that are not None, in their order."""
    return tuple((name, str(value)) for name, value in fields.items() if value is not None)


def instant(name: str, value: datetime | NotGiven | None) -> Any:
    """RFC 3339 in UTC; raises ValueError for a naive datetime, which may mean any of many instants.

    TypeError for a text or a date.
    """
    if value is None or value is NOT_GIVEN:
        return value
    if not isinstance(value, datetime):
        raise TypeError(f"{name} is an aware datetime, such as datetime.now(UTC), and not a {type(value).__name__}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(f"{name} must be an aware datetime, such as datetime.now(UTC), not the naive {value}")
    return write_instant(value)


def listed(name: str, values: Iterable[Any] | NotGiven | None) -> Any:
    """A list; raises TypeError for one text, which is iterable too and never meant."""
    if values is None or values is NOT_GIVEN:
        return values
    if isinstance(values, str):
        raise TypeError(f"{name} takes several texts, not one: write [{values!r}]")
    return list(values)


def mapped(values: Mapping[str, str] | NotGiven | None) -> Any:
    return dict(values) if isinstance(values, Mapping) else values

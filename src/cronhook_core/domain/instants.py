"""Instants are aware datetimes; naive ones are refused where values are made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import Attribute


def aware(_: object, attribute: Attribute[Any], value: datetime) -> None:
    """An attrs validator: the instant has an offset."""
    if value.tzinfo is None:
        raise ValueError(f"{attribute.name} must be an aware datetime, got the naive {value.isoformat()}")


def aware_or_none(instance: object, attribute: Attribute[Any], value: datetime | None) -> None:
    """An attrs validator: None, or an instant with an offset."""
    if value is not None:
        aware(instance, attribute, value)

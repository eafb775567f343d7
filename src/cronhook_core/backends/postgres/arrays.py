"""Columns of values as the text of Postgres arrays.

The driver's own conversion of lists asks for every item's type; a batch of some hundred rows has thousands of items.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def texts(values: Iterable[str | None]) -> str:
    """An array of any text."""
    return f"{{{','.join(['NULL' if value is None else _quoted(value) for value in values])}}}"


def numbers(values: Iterable[int | None]) -> str:
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def flags(values: Iterable[bool]) -> str:
    return f"{{{','.join(['t' if value else 'f' for value in values])}}}"


def instants(values: Iterable[datetime | None]) -> str:
    return f"{{{','.join(['NULL' if value is None else value.isoformat() for value in values])}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

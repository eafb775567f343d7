"""Column types whose meaning is the same on SQLite and Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, overload

from sqlalchemy import BigInteger, DateTime, Dialect, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware instant: ``timestamptz`` on Postgres, microseconds since the epoch on SQLite; UTC when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        return to_stored if dialect.name == "sqlite" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        return from_stored if dialect.name == "sqlite" else _in_utc


@overload
def to_stored(instant: datetime) -> int: ...
@overload
def to_stored(instant: None) -> None: ...
def to_stored(instant: datetime | None) -> int | None:
    """An `Instant` as SQLite keeps it."""
    return None if instant is None else to_microseconds(instant - _EPOCH)


@overload
def from_stored(value: int) -> datetime: ...
@overload
def from_stored(value: None) -> None: ...
def from_stored(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + value * _MICROSECOND


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """JSON that is only stored and given back; kept as ASCII text, so that no character of it troubles a database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Tags(TypeDecorator[Sequence[str]]):
    """A JSON list of strings, each on a line of its own, so that one is found by `line_of` it.

    Within a JSON string a line feed is always escaped, and no string's text begins with another's whole text.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else f"[{','.join(map(line_of, value))}]"

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:
        return None if value is None else tuple(json.loads(value))


def line_of(tag: str) -> str:
    """What the text of a `Tags` column contains if, and only if, it has this tag."""
    return f"\n{json.dumps(tag)}"


def to_microseconds(duration: timedelta) -> int:
    return (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds


Key = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared byte by byte: the order of ids is the order of time whatever the database's locale."""

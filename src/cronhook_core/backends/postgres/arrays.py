"""Columns of values as Postgres arrays; texts and instants as the server's binary protocol has them.

The driver's own conversion of lists asks for every item's type; a batch of some hundred rows has thousands of items.
The server reads an array that is written as text letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from struct import Struct

from attrs import frozen
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_TEXT, _TEXT_ARRAY = 25, 1009
_BYTEA, _BYTEA_ARRAY = 17, 1001
_TIMESTAMPTZ, _TIMESTAMPTZ_ARRAY = 1184, 1185
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HEADER = Struct(">iiiii")
"""The number of dimensions, whether nulls may follow, the type of the items, how many there are, the first's index."""
_LENGTH = Struct(">i")
_INSTANT = Struct(">iq")
_NULL = _LENGTH.pack(-1)


@frozen
class TextArray:
    """A ``text[]``. A connection has to be taught (`teach`) to send it."""

    content: bytes


@frozen
class BytesArray:
    """A ``bytea[]``. A connection has to be taught (`teach`) to send it."""

    content: bytes


@frozen
class InstantArray:
    """A ``timestamptz[]``. A connection has to be taught (`teach`) to send it."""

    content: bytes


Column = str | TextArray | BytesArray | InstantArray


class TextArrayDumper(Dumper):
    format = Format.BINARY
    oid = _TEXT_ARRAY

    def dump(self, obj: TextArray) -> bytes:
        return obj.content


class BytesArrayDumper(Dumper):
    format = Format.BINARY
    oid = _BYTEA_ARRAY

    def dump(self, obj: BytesArray) -> bytes:
        return obj.content


class InstantArrayDumper(Dumper):
    format = Format.BINARY
    oid = _TIMESTAMPTZ_ARRAY

    def dump(self, obj: InstantArray) -> bytes:
        return obj.content


def teach(connection: AdaptContext) -> None:
    """Let the connection's parameters be columns."""
    connection.adapters.register_dumper(TextArray, TextArrayDumper)
    connection.adapters.register_dumper(BytesArray, BytesArrayDumper)
    connection.adapters.register_dumper(InstantArray, InstantArrayDumper)


def texts(values: Iterable[str | None]) -> TextArray:
    """An array of any text."""
    items = [_NULL if value is None else _item(value.encode()) for value in values]
    return TextArray(_array(_TEXT, items))


def numbers(values: Iterable[int | None]) -> str:
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def flags(values: Iterable[bool]) -> str:
    return f"{{{','.join(['t' if value else 'f' for value in values])}}}"


def instants(values: Iterable[datetime | None]) -> InstantArray:
    items = [_NULL if value is None else _INSTANT.pack(8, (value - _EPOCH) // _MICROSECOND) for value in values]
    return InstantArray(_array(_TIMESTAMPTZ, items))


def binaries(values: Iterable[bytes | None]) -> BytesArray:
    return BytesArray(_array(_BYTEA, [_NULL if value is None else _item(value) for value in values]))


def _item(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _array(item_type: int, items: list[bytes]) -> bytes:
    return b"".join([_HEADER.pack(1, 1, item_type, len(items), 1), *items])

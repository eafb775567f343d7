"""Columns of values as Postgres arrays: as text, but instants as binary, because the server takes long to read dates.

The driver's own conversion of lists asks for every item's type; a batch of some hundred rows has thousands of items.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from struct import Struct

from attrs import frozen
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_TIMESTAMPTZ, _TIMESTAMPTZ_ARRAY = 1184, 1185
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HEADER = Struct(">iiiii")
"""The number of dimensions, whether nulls may follow, the type of the items, how many there are, the first's index."""
_ITEM = Struct(">iq")
_NULL = b"\xff\xff\xff\xff"


@frozen
class InstantArray:
    """A ``timestamptz[]`` as the server's protocol has it. A connection needs `InstantArrayDumper` for it."""

    content: bytes


class InstantArrayDumper(Dumper):
    format = Format.BINARY
    oid = _TIMESTAMPTZ_ARRAY

    def dump(self, obj: InstantArray) -> bytes:
        return obj.content


def teach(connection: AdaptContext) -> None:
    """Let the connection's parameters be arrays of `instants`."""
    connection.adapters.register_dumper(InstantArray, InstantArrayDumper)


def texts(values: Iterable[str | None]) -> str:
    """An array of any text."""
    return f"{{{','.join(['NULL' if value is None else _quoted(value) for value in values])}}}"


def numbers(values: Iterable[int | None]) -> str:
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def flags(values: Iterable[bool]) -> str:
    return f"{{{','.join(['t' if value else 'f' for value in values])}}}"


def instants(values: Iterable[datetime | None]) -> InstantArray:
    items = [_NULL if value is None else _ITEM.pack(8, (value - _EPOCH) // _MICROSECOND) for value in values]
    return InstantArray(b"".join([_HEADER.pack(1, 1, _TIMESTAMPTZ, len(items), 1), *items]))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

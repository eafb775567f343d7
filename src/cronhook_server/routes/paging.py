"""Cursors: where a list goes on. Rows that arrive meanwhile move nothing, for a cursor names a row."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar

from cronhook_core.domain.ids import is_id
from cronhook_core.errors import InvalidRequest
from cronhook_server.reading import Query

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""Of the rows of a page; a single row may have more."""
USUAL_ROW_BYTES = 16 * 1024
"""More than rows without a payload have, but for few."""
_VERSION = "1:"

T = TypeVar("T")


def limit_of(query: Query) -> int:
    return query.number("limit", DEFAULT_LIMIT, lowest=1, highest=MAX_LIMIT)


def bytes_of_page(limit: int) -> int:
    """How many bytes a page of rows without payloads may have."""
    return min(MAX_PAGE_BYTES, limit * USUAL_ROW_BYTES)


def before_of(query: Query, prefix: str) -> str | None:
    """The id that the cursor names; None where the list begins."""
    cursor = query.text("cursor")
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"==").decode("ascii")
    except (binascii.Error, UnicodeError):
        text = ""
    identifier = text.removeprefix(_VERSION)
    if identifier == text or not is_id(prefix, identifier) or write_cursor(identifier) != cursor:
        raise InvalidRequest("the query parameter cursor is a next_cursor of the page before")
    return identifier


def write_cursor(identifier: str) -> str:
    return urlsafe_b64encode(f"{_VERSION}{identifier}".encode()).decode().rstrip("=")


def page_of(
    rows: Sequence[T],
    limit: int,
    id_of: Callable[[T], str],
    bytes_of: Callable[[T], int] = lambda _: 0,
    *,
    at_most: int = MAX_PAGE_BYTES,
) -> tuple[Sequence[T], str | None]:
    """The rows of a page, of which one more than ``limit`` was read, and the cursor of the next one.

    Fewer than ``limit`` where they have more than ``at_most`` bytes together.
    """
    totals = accumulate(map(bytes_of, rows))
    count = min(limit, max(1, sum(total <= at_most for total in totals)))
    if len(rows) <= count:
        return rows, None
    return rows[:count], write_cursor(id_of(rows[count - 1]))

"""Entries in the order of their instants, for reading from the oldest on without looking at the rest."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime

Entry = tuple[datetime, str]
_SPLIT_AT = 1024


class InstantIndex:
    """Ids by instant. Adding and removing cost the logarithm of the length; reading costs what is read."""

    def __init__(self) -> None:
        self._buckets: list[list[Entry]] = []  # each sorted and not empty, and so are they among themselves

    def add(self, instant: datetime, identifier: str) -> None:
        entry = (instant, identifier)
        if not self._buckets:
            self._buckets.append([entry])
            return
        position = min(self._position(entry), len(self._buckets) - 1)
        bucket = self._buckets[position]
        insort(bucket, entry)
        if len(bucket) > _SPLIT_AT:
            middle = _SPLIT_AT // 2
            self._buckets[position : position + 1] = [bucket[:middle], bucket[middle:]]

    def remove(self, instant: datetime, identifier: str) -> None:
        """Remove an entry that is there."""
        entry = (instant, identifier)
        position = self._position(entry)
        bucket = self._buckets[position]
        del bucket[bisect_left(bucket, entry)]
        if not bucket:
            del self._buckets[position]

    def after(self, instant: datetime | None = None) -> Iterator[Entry]:
        """All entries later than ``instant`` (None: all), oldest first; the index must not change meanwhile."""
        first = 0 if instant is None else bisect_left(self._buckets, True, key=lambda bucket: bucket[-1][0] > instant)
        for bucket in self._buckets[first:]:
            yield from (entry for entry in bucket if instant is None or entry[0] > instant)

    def _position(self, entry: Entry) -> int:
        """The first bucket that does not end before this entry."""
        return bisect_left(self._buckets, entry, key=lambda bucket: bucket[-1])

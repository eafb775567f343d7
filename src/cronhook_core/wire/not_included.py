"""What stands in a model for a field that an answer leaves out unless it is asked for."""

from __future__ import annotations

from enum import Enum
from typing import Final


class _NotIncluded(Enum):
    NOT_INCLUDED = "not included"

    def __repr__(self) -> str:
        return "NOT_INCLUDED"

    def __bool__(self) -> bool:
        return False


NOT_INCLUDED: Final = _NotIncluded.NOT_INCLUDED
"""The value of a field that was not asked for. It is no JSON: writing it back raises TypeError, and loses nothing."""

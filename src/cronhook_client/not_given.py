"""Arguments that were not given, where None is a value of its own."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias


class _NotGiven(Enum):
    NOT_GIVEN = "not given"

    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __bool__(self) -> Literal[False]:
        return False


NotGiven: TypeAlias = Literal[_NotGiven.NOT_GIVEN]

NOT_GIVEN: Final = _NotGiven.NOT_GIVEN
"""The default of arguments of updates: what is stored stays."""

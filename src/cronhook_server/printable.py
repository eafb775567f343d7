"""Text of strangers, made harmless for a terminal."""

from __future__ import annotations


def printable(text: str, *, kept: str = "") -> str:
    """The text with what a terminal would obey, such as colours and titles, shown as escapes, all but ``kept``."""
    return "".join(one if one.isprintable() or one in kept else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")

"""JSON pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Iterable

MAX_TOKEN_LENGTH = 128


def pointer_to(path: Iterable[str | int]) -> str:
    """The pointer to what lies under these keys and indices.

    It ends before a key that is too long to repeat. Lone surrogates, which no UTF-8 text holds, become ``?``.
    """
    pointer = ""
    for token in path:
        if isinstance(token, str) and len(token) > MAX_TOKEN_LENGTH:
            break
        pointer += f"/{_escaped(token)}"
    return pointer


def _escaped(token: str | int) -> str:
    if isinstance(token, int):
        return str(token)
    written = token.replace("~", "~0").replace("/", "~1")
    return written if written.isascii() else written.encode("utf-8", "replace").decode()

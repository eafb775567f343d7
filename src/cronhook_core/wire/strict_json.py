"""JSON as the API accepts it: what parsers, databases or readers understand differently is refused (RFC 7493)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NoReturn

from cronhook_core.errors import InvalidRequest
from cronhook_core.wire.pointer import pointer_to
from cronhook_core.wire.problem import MAX_ERRORS

MAX_DEPTH = 32
"""Objects and arrays within each other, the outermost counted."""
MAX_VALUES = 50_000
"""Values in one text, objects and arrays included, keys not."""
MIN_INTEGER = -(2**63)
MAX_INTEGER = 2**64 - 1
"""Integers beyond 64 bits are read as something else by most programs."""


_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Also one that does not end; possessive, so that the time it takes grows with the length alone."""
_EMPTY = re.compile(rb"\[\s*+\]|\{\s*+\}")


class JsonText(bytes):
    """A JSON text in the place of its value: what is stored as text goes into an answer as it is."""


def parse_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises `InvalidRequest` for anything else, and for: the same key twice in an object, NaN, Infinity, numbers that no
    double or 64-bit integer holds, U+0000, lone surrogates, more than ``MAX_DEPTH`` levels, more than ``MAX_VALUES``
    values. Of many problems, ``MAX_ERRORS`` are looked for.
    """
    if _has_too_many_values(body):
        raise InvalidRequest(f"the body has more than {MAX_VALUES} JSON values: send fewer, or longer texts")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the body is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        _refuse_depth()
    problems = list(islice(_problems(value, (), 1), MAX_ERRORS))
    if problems:
        raise InvalidRequest(problems[0][1], pointer=problems[0][0], problems=problems)
    return value


def render_json(value: Any) -> bytes:
    """Compact JSON in UTF-8; keys keep their order. ``value`` holds nothing that `parse_json` would refuse."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _has_too_many_values(body: bytes) -> bool:
    """Counted in the text, before any value takes memory: each but the first follows ``,``, ``[`` or ``{``."""
    if _most_values(body) <= MAX_VALUES:
        return False
    without_texts = _TEXT.sub(b"0", body)
    return _most_values(without_texts) - len(_EMPTY.findall(without_texts)) > MAX_VALUES


def _most_values(body: bytes) -> int:
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidRequest(f"the key {_shortened(twice)!r} occurs twice in one object")
    return found


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidRequest(f"the number {_shortened(text)} is too great")
    return number


def _integer(text: str) -> int:
    if len(text) > len(str(MIN_INTEGER)) or not MIN_INTEGER <= (number := int(text)) <= MAX_INTEGER:
        raise InvalidRequest(f"the integer {_shortened(text)} does not fit into 64 bits")
    return number


def _constant(text: str) -> NoReturn:
    raise InvalidRequest(f"{text} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_int=_integer, parse_constant=_constant)


def _problems(value: Any, path: tuple[str | int, ...], depth: int) -> Iterator[tuple[str, str]]:
    """A body may have half a million values: what cannot be wrong costs next to nothing."""
    if type(value) is str:
        yield from _text_problems(value, path)
    elif type(value) is dict or type(value) is list:
        if depth > MAX_DEPTH:
            _refuse_depth()
        items: Iterable[tuple[str | int, Any]] = value.items() if type(value) is dict else enumerate(value)
        for key, item in items:
            if type(key) is str and not _is_harmless(key):
                yield from _text_problems(key, path)
            kind = type(item)
            if kind is str:
                if not _is_harmless(item):
                    yield from _text_problems(item, (*path, key))
            elif kind in (dict, list) and (item or depth == MAX_DEPTH):
                yield from _problems(item, (*path, key), depth + 1)


def _is_harmless(text: str) -> bool:
    return text.isascii() and "\0" not in text


def _text_problems(text: str, path: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    if "\0" in text:
        yield pointer_to(path), "text contains no NUL (U+0000)"
    elif any("\ud800" <= character <= "\udfff" for character in text):
        yield pointer_to(path), "text contains no lone surrogates"


def _refuse_depth() -> NoReturn:
    raise InvalidRequest(f"the body is nested deeper than {MAX_DEPTH} levels") from None


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"

"""The rules for the headers that a user adds to a callback.

They hold at creation and update, and again before each request: HTTP libraries send a name with a space, or a second
``content-length``, without complaint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import lru_cache

from cronhook_core.domain.sealed_values import SealedValue, is_sealed
from cronhook_core.errors import InvalidHeaders

MAX_HEADERS = 32
MAX_NAME_LENGTH = 64
MAX_VALUE_LENGTH = 4 * 1024
MAX_TOTAL_LENGTH = 16 * 1024
"""Characters of all names and values together."""

FRAMING_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Names that steer the connection or the framing of the message: the HTTP library alone writes them."""
FRAMING_PREFIX = "proxy-"
OWN_PREFIXES = ("webhook-", "cronhook-")

SECRET_NAMES = frozenset({"authorization", "cookie"})
SECRET_PARTS = ("secret", "token", "key", "password")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e]{0,4096}")


MASK = "***"
"""Stands for the value of a secret header."""

_NOTHING_STORED: Sequence[tuple[str, str]] = ()


def check_headers(
    headers: Mapping[str, str], stored: Sequence[tuple[str, str]] = _NOTHING_STORED
) -> tuple[tuple[str, str], ...]:
    """The user's headers, in the user's order; raises InvalidHeaders naming every problem.

    ``stored`` are the headers that the job has: only of those may a value be a sealed one.
    """
    kept = {(name.lower(), value) for name, value in stored if is_sealed(value)}
    plain = {name: _plain_form(name, value, kept) for name, value in headers.items()}
    problems = [(_pointer(name), problem) for name, value in plain.items() if (problem := _problem(name, value))]
    problems += _problems_together(plain)
    if problems:
        raise InvalidHeaders(problems[0][1], pointer=problems[0][0], problems=problems)
    return tuple(headers.items())


def check_sendable(headers: Sequence[tuple[str, str]]) -> Set[str]:
    """The rules that hold for every header of a request, our own included; raises InvalidHeaders.

    Returns the names, in lower case and with hyphens for underscores.
    """
    seen = set[str]()
    for name, value in headers:
        folded = _sendable_name(name)
        if folded is None:
            raise InvalidHeaders(f"{_shown(name)} may not be sent as a header", pointer=_pointer(name))
        if not _is_sendable_value(value):
            raise InvalidHeaders(f"{_shown(name)}: {_value_problem(value)}", pointer=_pointer(name))
        seen.add(folded)
    if len(seen) != len(headers):
        raise InvalidHeaders("a header occurs twice")
    return seen


def _plain_form(name: str, value: str, kept: Set[tuple[str, str]]) -> str:
    """The value; in place of one that stays sealed, another of the same length."""
    if (name.lower(), value) in kept:
        return "*" * SealedValue.parse(value).hidden_length
    return value


def shown_headers(headers: Iterable[tuple[str, str]] | Mapping[str, str]) -> dict[str, str]:
    """The headers as readers see them."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return {name: MASK if is_secret_header(name) or is_sealed(value) else value for name, value in pairs}


def headers_repr(headers: Iterable[tuple[str, str]] | Mapping[str, str]) -> str:
    """For the ``repr`` of values that have headers."""
    return repr(shown_headers(headers))


def is_secret_header(name: str) -> bool:
    """Whether this header's value is a secret: encrypted at rest, masked when read, never logged."""
    name = name.lower()
    return name in SECRET_NAMES or any(part in name for part in SECRET_PARTS)


def _problem(name: str, value: str) -> str | None:
    problem = _name_problem(name) or _value_problem(value)
    return problem and f"{_shown(name)}: {problem}"


def _name_problem(name: str) -> str | None:
    if not _TOKEN.fullmatch(name):
        return f"a header name has 1 to {MAX_NAME_LENGTH} letters, digits, hyphens and other token characters"
    folded = _as_gateways_read(name)
    if folded in FRAMING_HEADERS or folded.startswith(FRAMING_PREFIX):
        return "this header is written by the HTTP library and cannot be set"
    if folded.startswith(OWN_PREFIXES):
        return "headers that start with webhook- or cronhook- are written by cronhook and cannot be set"
    return None


def _value_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return "a header value is a string"
    if len(value) > MAX_VALUE_LENGTH:
        return f"a header value has at most {MAX_VALUE_LENGTH} characters"
    if not _VALUE.fullmatch(value):
        return "a header value has visible ASCII characters, spaces and tabs only"
    if value != value.strip(" \t"):
        return "a header value neither starts nor ends with a space"
    return None


def _problems_together(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    problems = []
    if len(headers) > MAX_HEADERS:
        problems.append(("/headers", f"at most {MAX_HEADERS} headers, got {len(headers)}"))
    if sum(len(name) + len(str(value)) for name, value in headers.items()) > MAX_TOTAL_LENGTH:
        problems.append(("/headers", f"all headers together have at most {MAX_TOTAL_LENGTH} characters"))
    seen = set()
    for name in headers:
        folded = _as_gateways_read(name)
        if folded in seen:
            problems.append((_pointer(name), f"{_shown(name)} occurs twice; case and _ for - make no difference"))
        seen.add(folded)
    return problems


def _as_gateways_read(name: str) -> str:
    """The name in lower case with hyphens for underscores.

    Servers that hand headers to a program as in CGI (RFC 3875, section 4.1.18) cannot tell the two apart.
    """
    return name.lower().replace("_", "-")


def _shown(name: str) -> str:
    return repr(name if len(name) <= MAX_NAME_LENGTH else name[:MAX_NAME_LENGTH] + "…")


def _pointer(name: str) -> str:
    """The JSON pointer of a header (RFC 6901); of all headers when the name is too long to repeat."""
    if len(name) > MAX_NAME_LENGTH:
        return "/headers"
    return f"/headers/{name.replace('~', '~0').replace('/', '~1')}"


@lru_cache(maxsize=4096)
def _sendable_name(name: str) -> str | None:
    """The name as `_as_gateways_read` gives it; None when it may not be sent."""
    folded = _as_gateways_read(name)
    if not _TOKEN.fullmatch(name) or folded in FRAMING_HEADERS or folded.startswith(FRAMING_PREFIX):
        return None
    return folded


def _is_sendable_value(value: str) -> bool:
    # The usual case first, on the hot path: for ASCII, "printable" is 0x20 to 0x7e.
    if value.isascii() and value.isprintable() and len(value) <= MAX_VALUE_LENGTH and value.strip(" ") == value:
        return True
    return _value_problem(value) is None

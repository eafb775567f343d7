"""How the values of options are written."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import MAXYEAR, UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
from attrs import frozen
from click import get_current_context
from click.core import ParameterSource

from cronhook_core.errors import InvalidRequest

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)")


class Written(click.ParamType[Any]):
    """A value that ``read`` makes of its text; its ValueError or `InvalidRequest` says what is wrong."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except (ValueError, InvalidRequest) as error:
            self.fail(str(error), param, ctx)


def id_argument(name: str) -> Callable[[F], F]:
    """An argument that is an id; an unset variable in its place is told."""
    return click.argument(name, type=Written("id", _not_empty))


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("an id is not empty")
    return text


def read_idempotency_key(text: str) -> str:
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise ValueError("an idempotency key is 1 to 255 visible ASCII characters")
    return text


def was_given(option: str) -> bool:
    """Whether the command that runs was given it as an argument, and not by a variable or a default."""
    return get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE


def read_duration(text: str) -> float:
    """Seconds: ``90``, ``90s``, ``1.5m``, ``2h`` or ``1d``."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a duration: write seconds, or one like 90s, 5m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def read_delays(text: str) -> tuple[float, ...]:
    """``30,2m,10m``, or ``none``."""
    if text.strip() == "none":
        return ()
    return tuple(read_duration(part) for part in text.split(","))


def read_header(text: str) -> tuple[str, str]:
    """``Name: value``, or ``Name: @FILE`` with the value in a file."""
    from cronhook_core.domain.callback_headers import is_secret_header

    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not name:
        raise ValueError("write it as 'Name: value', or 'Name: @FILE'")
    if value.startswith("@"):
        return name, _bytes_of(value).decode("utf-8", "replace").strip()
    if is_secret_header(name):
        warn_of_arguments(f"--header '{name}: @FILE' takes the value from a file")
    return name, value


def warn_of_arguments(instead: str) -> None:
    click.echo(f"cronhook: others on this machine see arguments, and shells keep them: {instead}.", err=True)


def read_pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text[:40]!r} is not written as NAME=TEXT")
    return name, value


@frozen
class Payload:
    """``value`` None is JSON ``null``."""

    value: Any


def read_payload(text: str) -> Payload:
    """JSON, or that of a file (``@path``) or of standard input (``-``)."""
    from cronhook_core.wire.strict_json import parse_json

    try:
        return Payload(parse_json(_bytes_of(text)))
    except InvalidRequest as error:
        hint = "" if text[:1] in ("@", "-", "{", "[") else "; a text is JSON in quotes of its own: --payload '\"text\"'"
        raise ValueError(str(error).replace("the body", "the payload") + hint) from None


def read_at(text: str) -> datetime:
    from cronhook_core.wire.instant import read_requested_instant

    return read_requested_instant(text)


def read_in_a_while(text: str) -> datetime:
    """The instant at the end of a duration that begins now."""
    seconds = read_duration(text)
    try:
        return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text[:40]!r} from now is beyond the year {MAXYEAR}") from None


def _bytes_of(text: str) -> bytes:
    if text == "-":
        if sys.stdin.isatty():
            click.echo("Type the payload, then Ctrl-D on a line of its own.", err=True)
        return sys.stdin.buffer.read()
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    path = text[1:]
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None


INSTANT = Written("instant", read_at)
DURATION = Written("duration", read_duration)
IN_A_WHILE = Written("duration", read_in_a_while)
DELAYS = Written("durations", read_delays)
HEADER = Written("name: value", read_header)
PAIR = Written("name=text", read_pair)
PAYLOAD = Written("json", read_payload)

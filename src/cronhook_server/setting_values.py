"""How the values of settings are written. Each reader raises ValueError with a reason that tells no secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from cronhook_core.domain.addresses import IPNetwork, TargetList
from cronhook_core.domain.key_derivation import MIN_SECRET_KEY_LENGTH

MASK = "***"

E = TypeVar("E", bound=StrEnum)

_DIGITS = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_PREFIX = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")
_SECRET_PARAMETER = re.compile(r"([?&](?:password|sslpassword|ssl_password|passfile)=)[^&#]*", re.IGNORECASE)


def is_unicode(written: str) -> bool:
    """False for what held other bytes than UTF-8 when it came from the environment, or from an argument."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True


def text(written: str) -> str:
    return written.strip()


def whole_number(lowest: int, highest: int, *, hints: Mapping[str, str] | None = None) -> Callable[[str], int]:
    """``hints`` says what to tell instead where a wrong value contains the key."""

    def read(written: str) -> int:
        if _DIGITS.fullmatch(written.strip()) and lowest <= int(written) <= highest:
            return int(written)
        for sign, hint in (hints or {}).items():
            if sign in written:
                raise ValueError(hint)
        raise ValueError(f"{_quoted(written)} is not a whole number between {lowest} and {highest}")

    return read


def seconds(lowest: float, highest: float) -> Callable[[str], timedelta]:
    return _duration(timedelta(seconds=1), "seconds", lowest, highest)


def days(lowest: float, highest: float) -> Callable[[str], timedelta]:
    return _duration(timedelta(days=1), "days", lowest, highest)


def one_of(words: type[E]) -> Callable[[str], E]:
    def read(written: str) -> E:
        try:
            return words(written.strip().lower())
        except ValueError:
            raise ValueError(f"{_quoted(written)} is not one of {', '.join(words)}") from None

    return read


def prefix(written: str) -> str:
    if not _PREFIX.fullmatch(written):
        raise ValueError(f"{_quoted(written)} is not 1 to 64 letters, digits, '_', '.', ':' and '-'")
    return written


def secret_text(written: str) -> str:
    if len(written) < MIN_SECRET_KEY_LENGTH:
        raise ValueError(f"is {len(written)} characters long; at least {MIN_SECRET_KEY_LENGTH} are needed")
    return written


def targets(written: str) -> TargetList:
    return TargetList.parse(written)


def networks(written: str) -> tuple[IPNetwork, ...]:
    entries = [entry.strip() for entry in written.split(",")]
    try:
        return tuple(ip_network(entry) for entry in entries)
    except ValueError as error:
        raise ValueError(f"it is a list of networks such as 10.0.0.0/8, separated by commas: {error}") from None


def database_url(written: str) -> str:
    scheme = _scheme_of(written).partition("+")[0]
    if scheme not in ("sqlite", "postgresql", "postgres"):
        raise ValueError("write it as sqlite:///path or postgresql://user@host/database")
    if scheme != "sqlite" and "@" in _path_for_libpq(written):
        raise ValueError("percent-encode the signs @ and / in its password, its user name and its database")
    return written


def redis_url(written: str) -> str:
    if _scheme_of(written) not in ("redis", "rediss", "unix"):
        raise ValueError("write it as redis://host:6379/0, rediss://… or unix:///path")
    return written


def masked_url(url: str) -> str:
    """The URL without its passwords."""
    try:
        parts = _split(url)
    except ValueError:
        return MASK
    if "://" not in url or "@" in _behind_host(url):  # a password that was not percent-encoded
        return MASK
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}{colon}{MASK if colon else ''}{at}{host}"
    return url.partition("://")[0] + "://" + netloc + _SECRET_PARAMETER.sub(rf"\1{MASK}", _behind_host(url))


def _path_for_libpq(url: str) -> str:
    """What libpq takes for the name of the database. Credentials end at the first ``@``, unless a slash comes first.

    Where a password has these signs as they are, its rest is taken for the host, which errors tell, and for a path.
    """
    rest = url.partition("://")[2]
    credentials, at, behind = rest.partition("@")
    host_and_path = (behind if at and "/" not in credentials else rest).partition("?")[0]
    return host_and_path.partition("/")[2]


def _behind_host(url: str) -> str:
    behind = url.partition("://")[2]
    start = min((behind.find(sign) for sign in "/?#" if sign in behind), default=len(behind))
    return behind[start:]


def _scheme_of(url: str) -> str:
    """Empty where the slashes behind it are missing: drivers then read no host, and take their defaults."""
    return _split(url).scheme if "://" in url else ""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("it is not a URL") from None


def _duration(unit: timedelta, name: str, lowest: float, highest: float) -> Callable[[str], timedelta]:
    def read(written: str) -> timedelta:
        if _DECIMAL.fullmatch(written.strip()) and lowest <= float(written) <= highest:
            return float(written) * unit
        raise ValueError(f"{_quoted(written)} is not a number of {name} between {lowest:g} and {highest:g}")

    return read


def _quoted(written: str) -> str:
    return repr(written if len(written) <= 40 else f"{written[:39]}…")

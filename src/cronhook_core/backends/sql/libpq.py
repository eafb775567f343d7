"""A Postgres URL as libpq reads it. What can never work is found before the first connection, which is waited for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from cronhook_core.errors import ConfigurationError

_VARIABLE = "CRONHOOK_DATABASE_URL"
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")
_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_WORDS: Mapping[str, tuple[str, ...]] = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "sslnegotiation": ("postgres", "direct"),
    "load_balance_hosts": ("disable", "random"),
    "ssl_min_protocol_version": _VERSIONS,
    "ssl_max_protocol_version": _VERSIONS,
}
_NUMBERS = (
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
)


def read_conninfo(url: str) -> dict[str, Any]:
    """The options in it; `ConfigurationError`, which does not repeat the URL, where libpq would refuse one."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # whose words repeat the password
        raise ConfigurationError(_VARIABLE, "libpq cannot read this URL") from None
    for name, words in _WORDS.items():
        if given.get(name) and given[name] not in words:
            raise ConfigurationError(_VARIABLE, f"{name} is one of {', '.join(words)}")
    for name in _NUMBERS:
        if given.get(name) and not _NUMBER.fullmatch(str(given[name]).strip()):
            raise ConfigurationError(_VARIABLE, f"{name} is a whole number")
    if not all(map(_is_port, str(given.get("port") or "").split(","))):
        raise ConfigurationError(_VARIABLE, "a port is a number between 1 and 65535; is its password percent-encoded?")
    return given


def _is_port(written: str) -> bool:
    """An empty one is the usual."""
    return not written.strip() or (_NUMBER.fullmatch(written.strip()) is not None and 1 <= int(written) <= 65535)

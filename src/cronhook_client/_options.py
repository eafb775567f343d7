"""What a client is told when it is made."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from attrs import field, frozen

from cronhook_core.errors import ConfigurationError

KEY_VARIABLE = "CRONHOOK_API_KEY"
BASE_URL_VARIABLE = "CRONHOOK_BASE_URL"
DEFAULT_BASE_URL = "http://127.0.0.1:8080"
"""Where ``cronhook up`` listens unless it is told otherwise."""
DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RETRIES = 3


class InsecureTransportWarning(UserWarning):
    """The API key is sent over plain HTTP to a host that is not this machine.

    Silence it where the network is trusted: ``warnings.simplefilter("ignore", InsecureTransportWarning)``.
    """


_VISIBLE = re.compile(r"[\x21-\x7e]+")


@frozen(kw_only=True)
class Options:
    """``base_url`` has no slash at its end. ``timeout`` in seconds."""

    api_key: str = field(repr=False)
    base_url: str
    timeout: float
    max_retries: int


def read_options(
    *,
    api_key: str | None,
    base_url: str | None,
    timeout: float | None,
    max_retries: int | None,
    environ: Mapping[str, str],
) -> Options:
    """Arguments win over variables; an empty variable is as good as none. Raises `ConfigurationError`."""
    return Options(
        api_key=_api_key(environ.get(KEY_VARIABLE) if api_key is None else api_key),
        base_url=_base_url(base_url or environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL),
        timeout=_timeout(DEFAULT_TIMEOUT if timeout is None else timeout),
        max_retries=_max_retries(DEFAULT_MAX_RETRIES if max_retries is None else max_retries),
    )


def warn_if_unencrypted(base_url: str) -> None:
    """Issue `InsecureTransportWarning`, in the name of whoever made the client, for a URL that calls for it."""
    parts = urlsplit(base_url)
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        message = f"{base_url} is not https: the API key is sent unencrypted to another machine"
        warnings.warn(message, InsecureTransportWarning, stacklevel=3)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _api_key(text: str | None) -> str:
    if not text:
        raise ConfigurationError(KEY_VARIABLE, "there is no API key: give the argument api_key or set this variable")
    if not _VISIBLE.fullmatch(text):
        raise ConfigurationError(
            KEY_VARIABLE, "the API key (argument api_key or this variable) has a space, a line end or the like in it"
        )
    return text


def _base_url(text: str) -> str:
    if not _is_base_url(text):
        raise ConfigurationError(
            BASE_URL_VARIABLE,
            "the base URL (argument base_url or this variable) is an http or https URL in visible ASCII, without user, "
            f"query and fragment, such as {DEFAULT_BASE_URL}",
        )
    return text.rstrip("/")


def _is_base_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    simple = not ("?" in text or "#" in text or "@" in parts.netloc) and _VISIBLE.fullmatch(text) is not None
    return simple and parts.scheme in ("http", "https") and _is_host(parts.hostname or "") and port != 0


def _is_host(name: str) -> bool:
    """Without an empty label, and without one that only looks like an international name."""
    try:
        return bool(name.encode("idna").decode("idna"))
    except UnicodeError:
        return False


def _timeout(seconds: float) -> float:
    if not (seconds > 0 and math.isfinite(seconds)):
        raise ValueError(f"timeout is a number of seconds above 0, not {seconds}")
    return seconds


def _max_retries(number: int) -> int:
    if number < 0:
        raise ValueError(f"max_retries is 0 or more, not {number}")
    return number

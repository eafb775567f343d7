"""The rules for a callback URL as a user writes it.

They give fast feedback when a job is stored and are asked again before each request. They are not the defence against
requests into private networks: that one judges every address at every attempt.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

from attrs import frozen

from cronhook_core.domain.addresses import NON_HTTP_PORTS, AllowedTargets, DeniedTargets, IPAddress, is_public
from cronhook_core.errors import InvalidCallbackUrl

MAX_URL_LENGTH = 2048
MAX_HOST_LENGTH = 253
LOCAL_SUFFIXES = (
    ".localhost",
    ".local",
    ".internal",
    ".localdomain",
    ".home.arpa",
    ".svc",
    ".cluster.local",
)
"""Names below these are answered by private networks only."""

_NOTHING = DeniedTargets()
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?"
)
_AUTHORITY = re.compile(r"(?:\[(?P<literal>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>.*))?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DOTTED_QUAD = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
# What browsers leave as it is (https://url.spec.whatwg.org/#percent-encoded-bytes); a percent sign was written by the
# user and stays.
_SAFE_IN_PATH = "/%:@!$&'()*+,;=-._~[]|"
_SAFE_IN_QUERY = _SAFE_IN_PATH + "?^`{}"


@frozen(kw_only=True)
class CallbackUrl:
    """A URL that may be called.

    ``url`` is the form to be requested: ASCII, the scheme and host in lower case, the host after IDNA, no fragment;
    what the user percent-encoded stays as it is. ``host`` has no brackets. ``address`` is the host itself where it is
    a literal address, else None.
    """

    url: str
    scheme: str
    host: str
    port: int
    address: IPAddress | None = None


def check_callback_url(url: str, *, allowed: AllowedTargets, denied: DeniedTargets = _NOTHING) -> CallbackUrl:
    """The parts of a URL that obeys the rules; raises InvalidCallbackUrl with one sentence otherwise.

    Nothing is repaired: a URL with a tab, a backslash or ``127.1`` is refused, not cleaned. What ``allowed`` opens
    passes; when it opens anything, so do local names, whose addresses are judged at the attempt. A literal address that
    ``denied`` includes is refused whatever opens it.
    """
    _check_characters(url)
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidCallbackUrl("a callback URL looks like https://example.com/path")
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise InvalidCallbackUrl("the scheme of a callback URL is http or https")
    host, address, written_port = _split(match["authority"])
    port = _DEFAULT_PORTS[scheme] if written_port is None else _port(written_port)
    if address is None:
        _check_name(host, port, allowed)
    elif denied.includes(address, port):
        raise InvalidCallbackUrl("the host is an address that the operator denies (CRONHOOK_DENIED_TARGETS)")
    elif not allowed.includes(address, port):
        _check_address(address, port)
    requested = _requested(scheme, host, port, match["path"], match["query"])
    if len(requested) > MAX_URL_LENGTH:
        raise InvalidCallbackUrl(
            f"a callback URL has at most {MAX_URL_LENGTH} characters, percent-encoded as it is sent; "
            f"this one has {len(requested)}"
        )
    return CallbackUrl(
        url=requested,
        scheme=scheme,
        host=host,
        port=port,
        address=address,
    )


def _check_characters(url: str) -> None:
    if len(url) > MAX_URL_LENGTH:
        raise InvalidCallbackUrl(f"a callback URL has at most {MAX_URL_LENGTH} characters")
    # Not printable: control, invisible and unassigned characters, lone surrogates, spaces of every kind but the plain.
    if " " in url or not url.isprintable():
        raise InvalidCallbackUrl("a callback URL contains no spaces, control or invisible characters")
    if "\\" in url:
        raise InvalidCallbackUrl("a callback URL contains no backslash")


def _split(authority: str) -> tuple[str, IPAddress | None, str | None]:
    if "@" in authority:
        raise InvalidCallbackUrl("a callback URL contains no user name or password; use a header instead")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise InvalidCallbackUrl("the host of the callback URL is malformed")
    if match["literal"] is not None:
        address: IPAddress = _ipv6(match["literal"])
        return str(address), address, match["port"]
    host = _ascii_host(match["name"])
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        address = _ipv4(host, match["name"])
        return host, address, match["port"]
    return host, None, match["port"]


def _ipv6(text: str) -> IPv6Address:
    if "%" in text:
        raise InvalidCallbackUrl("an IPv6 address in a callback URL has no zone")
    try:
        return IPv6Address(text)
    except ValueError:
        raise InvalidCallbackUrl("the text in brackets is not an IPv6 address") from None


def _ipv4(host: str, written: str) -> IPv4Address:
    # What is mapped onto digits, such as full-width ones, was not written as a canonical address.
    try:
        if host == written and _DOTTED_QUAD.fullmatch(host):
            return IPv4Address(host)
    except ValueError:
        pass
    raise InvalidCallbackUrl("a numeric host is an IPv4 address of four plain decimal numbers, such as 192.0.2.1")


def _ascii_host(name: str) -> str:
    """The name in lower case after IDNA 2008 with the mapping of UTS 46."""
    if not name:
        raise InvalidCallbackUrl("the callback URL has no host")
    if "%" in name:
        raise InvalidCallbackUrl("the host of a callback URL is not percent-encoded")
    if len(name) > MAX_HOST_LENGTH:
        raise InvalidCallbackUrl(f"a host has at most {MAX_HOST_LENGTH} characters")
    host = name.lower() if name.isascii() else _idna(name)
    if not all(_LABEL.fullmatch(label) for label in host.split(".")) or len(host) > MAX_HOST_LENGTH:
        raise InvalidCallbackUrl(
            "each part of a host has 1 to 63 letters, digits and hyphens, and no hyphen at either end"
        )
    if name.isascii() and "xn--" in host:
        _idna(host)
    return host


def _idna(name: str) -> str:
    import idna  # its tables are large, and few hosts need them

    try:
        return idna.encode(name, uts46=True, std3_rules=True).decode("ascii").lower()
    except idna.IDNAError:
        raise InvalidCallbackUrl("the host is not a valid internationalized name (IDNA 2008)") from None


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise InvalidCallbackUrl("the port of a callback URL is a number between 1 and 65535")
    return int(text)


_OPENING = "the operator opens its address (CRONHOOK_ALLOWED_TARGETS)"


def _check_name(host: str, port: int, allowed: AllowedTargets) -> None:
    if port in NON_HTTP_PORTS and not allowed.includes_port(port):
        raise InvalidCallbackUrl(f"port {port} belongs to a service that takes no webhooks")
    if allowed:
        return
    if "." not in host or f".{host}".endswith(LOCAL_SUFFIXES):
        raise InvalidCallbackUrl(f"the host is a local name; a callback URL needs a public one, unless {_OPENING}")


def _check_address(address: IPAddress, port: int) -> None:
    if not is_public(address):
        raise InvalidCallbackUrl(f"the host is an address that is not public; it is refused unless {_OPENING}")
    if port in NON_HTTP_PORTS:
        raise InvalidCallbackUrl(f"port {port} belongs to a service that takes no webhooks")


def _requested(scheme: str, host: str, port: int, path: str, query: str | None) -> str:
    authority = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[scheme]:
        authority = f"{authority}:{port}"
    return (
        f"{scheme}://{authority}{quote(path, safe=_SAFE_IN_PATH) or '/'}"
        f"{'' if query is None else '?' + quote(query[1:], safe=_SAFE_IN_QUERY)}"
    )

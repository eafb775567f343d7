"""Where a request comes from, as far as it can be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from cronhook_core.domain.addresses import IPAddress, IPNetwork, unmapped

FORWARDED_FOR = b"x-forwarded-for"
UNKNOWN = "unknown"
MAX_HOPS = 32
_IPV6_PREFIX = 64


def client_of(scope: Mapping[str, Any], trusted_proxies: Sequence[IPNetwork]) -> str:
    """What failures of this client are counted under: its IPv4 address, or the /64 of its IPv6 address.

    ``x-forwarded-for`` counts only behind trusted proxies, and is read from the right: what stands left of the first
    address that is no trusted proxy was written by whoever sits there.
    """
    client = scope.get("client")
    address = None if client is None else _address(client[0])
    if address is None:
        return UNKNOWN
    for written in _hops(scope):
        if not _is_trusted(address, trusted_proxies):
            break
        hop = _address(written)
        if hop is None:
            break
        address = hop
    return _network(address)


def client_of_peer(peer: str, *, exempt: Sequence[IPNetwork]) -> str | None:
    """What connections of this peer are counted under; None: it is exempt."""
    address = _address(peer)
    if address is None:
        return UNKNOWN
    return None if _is_trusted(address, exempt) else _network(address)


def _hops(scope: Mapping[str, Any]) -> list[str]:
    """The last addresses of ``x-forwarded-for``, the nearest first."""
    headers = [value.decode("latin-1") for name, value in scope["headers"] if name == FORWARDED_FOR]
    written = ",".join(headers).rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    return [hop.strip() for hop in reversed(written)]


def _address(written: str) -> IPAddress | None:
    """The address; some proxies write it with its port."""
    without_port = written[1:].split("]")[0] if written.startswith("[") else written
    if written.count(":") == 1:
        without_port = written.split(":")[0]
    with suppress(ValueError):
        return unmapped(ip_address(without_port))
    return None


def _is_trusted(address: IPAddress, trusted_proxies: Sequence[IPNetwork]) -> bool:
    return any(address in network for network in trusted_proxies)


def _network(address: IPAddress) -> str:
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _IPV6_PREFIX), strict=False))
    return str(address)

"""Which network addresses may be called: public ones, and what the operator opens.

The tables are ours. ``ipaddress.is_global`` changes between versions of Python and passes addresses that lead inside:
NAT64, 6to4, multicast, and services of clouds.
"""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from attrs import frozen

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

DENIED_IPV4 = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # carrier-grade NAT; metadata of one cloud
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local; metadata of most clouds
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # IETF protocols; metadata of one cloud
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT relays
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
    "168.63.129.16/32",  # the host agent of one cloud
)
ALLOWED_IPV6 = "2000::/3"
DENIED_IPV6 = (
    "2001::/23",  # IETF protocols, Teredo
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)

# https://fetch.spec.whatwg.org/#port-blocking
_PORTS_BROWSERS_BLOCK = """
    0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117 119 123
    135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995
    1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080
"""
# Databases, brokers, control planes of containers, remote desktops, a second port of mail: some speak HTTP, but take
# orders that are no webhooks.
_PORTS_OF_INTERNAL_SERVICES = """
    1433 1521 2375 2376 2377 2379 2380 2525 3306 3389 5432 5672 5900 6379 9042 9092 9200 9300 10250 10255 11211 27017
    50000 61616
"""
NON_HTTP_PORTS = frozenset(map(int, (_PORTS_BROWSERS_BLOCK + _PORTS_OF_INTERNAL_SERVICES).split()))
"""Ports of well-known services that take no webhooks: a POST to them may do harm."""


def _bounds(*networks: str) -> tuple[tuple[int, int], ...]:
    parsed = [ip_network(network) for network in networks]
    return tuple((int(network.network_address), int(network.broadcast_address)) for network in parsed)


_DENIED_IPV4 = _bounds(*DENIED_IPV4)
_DENIED_IPV6 = _bounds(*DENIED_IPV6)
_ALLOWED_IPV6 = _bounds(ALLOWED_IPV6)


def _within(number: int, bounds: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= number <= last for first, last in bounds)


def unmapped(address: IPAddress) -> IPAddress:
    """The IPv4 address within an IPv4-mapped IPv6 one (``::ffff:0:0/96``), any other as it is."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def is_public(address: IPAddress) -> bool:
    """Whether anybody may have this address called."""
    address = unmapped(address)
    if isinstance(address, IPv4Address):
        return not _within(int(address), _DENIED_IPV4)
    number = int(address)
    return _within(number, _ALLOWED_IPV6) and not _within(number, _DENIED_IPV6)


@frozen(kw_only=True)
class Target:
    """A network. ``port`` None: every port."""

    network: IPNetwork
    port: int | None = None

    def includes(self, address: IPAddress, port: int) -> bool:
        return self.port in (None, port) and address in self.network

    def __str__(self) -> str:
        if self.port is None:
            return str(self.network)
        network = self.network
        host = network.network_address
        return f"{host if network.version == 4 else f'[{host}]'}/{network.prefixlen}:{self.port}"


_TARGET = re.compile(
    r"(?: \[ (?P<bracketed>[0-9a-f.]*:[0-9a-f:.]*) \] | (?P<bare>[0-9.]+ | [0-9a-f:.]+(?=/)) )"
    r"(?: / (?P<prefix>[0-9]{1,3}) )?"
    r"(?: : (?P<port>[0-9]{1,5}) )?",
    re.VERBOSE | re.IGNORECASE,
)


@frozen
class TargetList:
    """Networks and ports; none by default. True when there is any."""

    targets: tuple[Target, ...] = ()

    @classmethod
    def parse(cls, text: str) -> TargetList:
        """Read ``CIDR`` or ``CIDR:port``, separated by commas: ``10.0.0.0/8, 127.0.0.1/32:8000, [::1]/128:8080``.

        A single address stands for itself alone. Brackets around an IPv6 address are needed where a port follows it
        without a prefix length. A CIDR without a port stands for all its ports. Blank text is the empty list. Raises
        ValueError with one sentence that names the entry.
        """
        return cls(tuple(_target(entry.strip()) for entry in text.split(","))) if text.strip() else cls()

    def includes(self, address: IPAddress, port: int) -> bool:
        address = unmapped(address)
        return any(target.includes(address, port) for target in self.targets)

    def includes_port(self, port: int) -> bool:
        """Whether some entry includes this port, on whatever address."""
        return any(target.port in (None, port) for target in self.targets)

    def __bool__(self) -> bool:
        return bool(self.targets)

    def __str__(self) -> str:
        return ", ".join(map(str, self.targets))


AllowedTargets = TargetList
"""The targets that the operator opens beside the public addresses."""
DeniedTargets = TargetList
"""The targets that the operator denies, whatever opens them."""


def _target(entry: str) -> Target:
    address, prefix, port = _parts(entry)
    try:
        network = ip_network(f"{address}/{prefix}" if prefix else address)
    except ValueError as error:
        raise ValueError(f"{entry!r} is not a network: {error}") from None
    if isinstance(network.network_address, IPv6Address) and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"{entry!r} is an IPv4 network within IPv6; write the IPv4 network")
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"the port of {entry!r} is not between 1 and 65535")
    return Target(network=network, port=port)


def _parts(entry: str) -> tuple[str, str | None, int | None]:
    if (address := _address(entry)) is not None:
        _check_for_port(entry)
        return str(address), None, None
    match = _TARGET.fullmatch(entry)
    if match is None:
        raise ValueError(
            f"{entry!r} is neither CIDR nor CIDR:port, such as 10.0.0.0/8, 127.0.0.1/32:8000 or [::1]/128:8080"
        )
    port = match["port"]
    return match["bracketed"] or match["bare"], match["prefix"], None if port is None else int(port)


def _address(text: str) -> IPAddress | None:
    with suppress(ValueError):
        return ip_address(text) if "%" not in text else None
    return None


def _check_for_port(address: str) -> None:
    """Refuse ``::1:80``: it is an address, and reads like the port 80 of another one."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and _address(host) is not None:
        raise ValueError(
            f"{address!r} may be an address or an address with a port; write [{host}]:{port} for the port {port} of"
            f" {host}, and {address}/128 for the address"
        )

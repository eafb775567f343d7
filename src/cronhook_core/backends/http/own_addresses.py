"""Whether an address is one of this machine's own, as the kernel sees it at this moment."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address

from cronhook_core.domain.addresses import IPAddress, unmapped

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_NOBODYS: dict[int, IPAddress] = {4: IPv4Address("198.51.100.254"), 6: IPv6Address("2001:db8:ffff:ffff:ffff::1")}
"""Addresses for documentation, which no machine has."""


def is_own(address: IPAddress) -> bool:
    """Whether a connection to ``address`` would end on this machine. Nothing is sent.

    Only an own address can be bound to: secondary addresses, those of all interfaces, and routes of the type ``local``
    count, whenever they were added. Where ``ip_nonlocal_bind`` is set any address can be bound to; an own one is then
    told by being the source of what is sent to it. Raises OSError where no socket can be made.
    """
    address = unmapped(address)
    if not _can_be_bound_to(address):
        return False
    return not _can_be_bound_to(_NOBODYS[address.version]) or _is_its_own_source(address)


def _can_be_bound_to(address: IPAddress) -> bool:
    try:
        with socket.socket(_FAMILIES[address.version], socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return False
        raise
    return True


def _is_its_own_source(address: IPAddress) -> bool:
    with socket.socket(_FAMILIES[address.version], socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
        except OSError:  # there is no route to it
            return False
        return bool(probe.getsockname()[0] == str(address))

"""Which addresses are this machine's own, asked of its kernel."""

import errno
import socket
from ipaddress import ip_address

import psutil
import pytest

from cronhook_core.backends.http import own_addresses
from cronhook_core.backends.http.own_addresses import is_own

FAMILIES = (socket.AF_INET, socket.AF_INET6)
PUBLIC = ("8.8.8.8", "93.184.215.14", "2001:4860:4860::8888")


def interface_addresses() -> list[str]:
    """Without those of one link, which need a zone."""
    found = [one for addresses in psutil.net_if_addrs().values() for one in addresses if one.family in FAMILIES]
    return [one.address for one in found if "%" not in one.address and not one.address.startswith("fe80")]


def test_every_address_of_every_interface_is_own() -> None:
    addresses = interface_addresses()
    assert "127.0.0.1" in addresses
    assert [address for address in addresses if not is_own(ip_address(address))] == []


@pytest.mark.parametrize("address", ["127.0.0.2", "::ffff:127.0.0.1"])
def test_secondary_and_mapped_addresses_are_own(address: str) -> None:
    assert is_own(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_others_are_not(address: str) -> None:
    assert not is_own(ip_address(address))


def test_where_any_address_can_be_bound_to_the_route_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the kernel's `ip_nonlocal_bind`."""
    monkeypatch.setattr(own_addresses, "_can_be_bound_to", lambda _: True)
    assert is_own(ip_address("127.0.0.1"))
    assert [address for address in PUBLIC if is_own(ip_address(address))] == []


def test_without_a_descriptor_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(own_addresses.socket, "socket", no_socket)
    with pytest.raises(OSError, match="Too many open files"):
        is_own(ip_address("8.8.8.8"))

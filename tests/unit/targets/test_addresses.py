"""Which addresses are public, at both ends of every special block and one beyond, and what an operator may open."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronhook_core.domain.addresses import NON_HTTP_PORTS, AllowedTargets, is_public, unmapped
from tests.unit.targets.special_purpose_blocks import (
    IANA_IPV6_BLOCKS,
    IPV4_BLOCKS,
    IPV6_BLOCKS_OF_2000,
    OUTSIDE_OF_2000,
)


def mapped(address: IPv4Address) -> IPv6Address:
    return IPv6Address((0xFFFF << 32) | int(address))


def in_ipv4_block(number: int) -> bool:
    return any(int(IPv4Address(first)) <= number <= int(IPv4Address(last)) for first, last in IPV4_BLOCKS)


def in_ipv6_block(number: int) -> bool:
    return any(int(IPv6Address(first)) <= number <= int(IPv6Address(last)) for first, last in IPV6_BLOCKS_OF_2000)


@pytest.mark.parametrize(("first", "last"), IPV4_BLOCKS)
def test_ends_of_ipv4_blocks_are_not_public(first: str, last: str) -> None:
    for address in (IPv4Address(first), IPv4Address(last)):
        assert not is_public(address)
        assert not is_public(mapped(address))


@pytest.mark.parametrize(("first", "last"), IPV4_BLOCKS)
def test_neighbours_of_ipv4_blocks_are_public(first: str, last: str) -> None:
    for number in (int(IPv4Address(first)) - 1, int(IPv4Address(last)) + 1):
        if 0 <= number < 2**32 and not in_ipv4_block(number):
            assert is_public(IPv4Address(number))
            assert is_public(mapped(IPv4Address(number)))


def test_few_neighbours_lie_in_another_block() -> None:
    """Guards the test above against passing over everything."""
    neighbours = [int(IPv4Address(last)) + 1 for _, last in IPV4_BLOCKS if last != "255.255.255.255"]
    assert sum(not in_ipv4_block(number) for number in neighbours) >= 17


@pytest.mark.parametrize(("first", "last"), IPV6_BLOCKS_OF_2000)
def test_ends_of_ipv6_blocks(first: str, last: str) -> None:
    assert not is_public(IPv6Address(first))
    assert not is_public(IPv6Address(last))
    assert is_public(IPv6Address(int(IPv6Address(last)) + 1))
    before = int(IPv6Address(first)) - 1
    assert is_public(IPv6Address(before)) is not in_ipv6_block(before)


def test_ends_of_the_public_ipv6_space() -> None:
    assert is_public(IPv6Address("2000::"))
    assert is_public(IPv6Address("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
    assert not is_public(IPv6Address(int(IPv6Address("2000::")) - 1))
    assert not is_public(IPv6Address(int(IPv6Address("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")) + 1))


@pytest.mark.parametrize("text", OUTSIDE_OF_2000)
def test_ipv6_beyond_global_unicast_is_not_public(text: str) -> None:
    assert not is_public(IPv6Address(text))


@pytest.mark.parametrize(("first", "last"), IANA_IPV6_BLOCKS)
def test_ends_and_neighbours_of_every_special_block_of_ipv6(first: str, last: str) -> None:
    low, high = int(IPv6Address(first)), int(IPv6Address(last))
    assert not is_public(IPv6Address(low))
    assert not is_public(IPv6Address(high))
    for number in (low - 1, high + 1):
        if 0 <= number < 2**128:
            expected = number >> 125 == 1 and not in_ipv6_block(number)
            assert is_public(IPv6Address(number)) is expected, IPv6Address(number)


@pytest.mark.parametrize("block", IPV4_BLOCKS)
def test_no_ipv4_block_gets_through_within_ipv6(block: tuple[str, str]) -> None:
    """Mapped, compatible, translated, NAT64, 6to4, Teredo (the client's address inverted), ISATAP."""
    for end in map(IPv4Address, block):
        number = int(end)
        wrapped = {
            "mapped": 0xFFFF << 32 | number,
            "compatible": number,
            "translated": 0xFFFF << 48 | number,
            "NAT64": 0x64FF9B << 96 | number,
            "local NAT64": 0x64FF9B0001 << 80 | number,
            "6to4": 0x2002 << 112 | number << 80 | 1,
            "Teredo": 0x20010000 << 96 | number ^ 0xFFFFFFFF,
            "link-local ISATAP": 0xFE80 << 112 | 0x5EFE << 32 | number,
        }
        assert [how for how, address in wrapped.items() if is_public(IPv6Address(address))] == []


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2001:4860:4860::8888", "2606:4700::1111"])
def test_well_known_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_by_the_list(address: IPv4Address) -> None:
    assert is_public(address) is not in_ipv4_block(int(address))
    assert is_public(mapped(address)) is is_public(address)
    assert unmapped(mapped(address)) == address


@given(st.ip_addresses(v=6))
def test_every_ipv6_address_by_the_list(address: IPv6Address) -> None:
    if address.ipv4_mapped is None:
        public = int(address) >> 125 == 1 and not in_ipv6_block(int(address))
        assert is_public(address) is public


@pytest.mark.parametrize(
    "port",
    [
        *(0, 22, 25, 1433, 1521, 2375, 2376, 2377, 2379, 2380, 2525, 3306, 3389, 5432, 5672, 5900, 6000, 6379, 6667),
        *(9042, 9092, 9200, 9300, 10080, 10250, 10255, 11211, 27017, 50000, 61616),
    ],
)
def test_ports_of_other_services(port: int) -> None:
    assert port in NON_HTTP_PORTS


@pytest.mark.parametrize("port", [80, 443, 8000, 8080, 8443, 3000, 5000, 9000])
def test_ports_of_http(port: int) -> None:
    assert port not in NON_HTTP_PORTS


@pytest.mark.parametrize(
    ("text", "address", "port", "permitted"),
    [
        ("10.0.0.0/8", "10.1.2.3", 8080, True),
        ("10.0.0.0/8", "11.0.0.0", 8080, False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 8080, True),
        ("10.0.0.0/8", "10.1.2.3", 6379, True),
        ("10.0.0.0/8, 10.1.2.3/32:6379", "10.1.2.3", 6379, True),
        ("127.0.0.1/32:8000", "127.0.0.1", 8000, True),
        ("127.0.0.1/32:8000", "127.0.0.1", 8001, False),
        ("127.0.0.1/32:8000", "127.0.0.2", 8000, False),
        ("127.0.0.1", "127.0.0.1", 1234, True),
        ("127.0.0.1:8000", "127.0.0.1", 8000, True),
        ("127.0.0.1:8000", "127.0.0.1", 8001, False),
        ("::1", "::1", 80, True),
        ("::1:80/128", "::1:80", 443, True),
        ("2001:db8::80", "2001:db8::80", 443, True),
        ("1:2:3:4:5:6:7:8080", "1:2:3:4:5:6:7:8080", 443, True),
        ("fd00::1:abcd", "fd00::1:abcd", 443, True),
        ("::1/128", "::1", 80, True),
        ("::1/128:8080", "::1", 8080, True),
        ("[::1]/128:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 8081, False),
        ("[fd00::]/8", "fd12::1", 80, True),
        ("FD00::/8", "fe00::1", 80, False),
        (" 10.0.0.0/8 ,192.168.0.0/16 ", "192.168.1.1", 80, True),
        ("", "127.0.0.1", 80, False),
    ],
)
def test_what_an_operator_opens(text: str, address: str, port: int, permitted: bool) -> None:
    assert AllowedTargets.parse(text).includes(ip_address(address), port) is permitted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x", "neither CIDR nor CIDR:port"),
        ("10.0.0.0/8,", "neither CIDR nor CIDR:port"),
        ("localhost:80", "neither CIDR nor CIDR:port"),
        ("10.0.0.0/8:", "neither CIDR nor CIDR:port"),
        ("10.0.0.0/8:80:90", "neither CIDR nor CIDR:port"),
        ("fe80::1%eth0", "neither CIDR nor CIDR:port"),
        ("[127.0.0.1]/32", "neither CIDR nor CIDR:port"),
        ("\u0661\u0660.0.0.0/8", "neither CIDR nor CIDR:port"),
        ("10.0.0.1/8", "has host bits set"),
        ("::1:80", r"write \[::1\]:80 for the port 80 of ::1, and ::1:80/128 for the address"),
        ("10.0.0.0/8, fd00::1:8080", r"write \[fd00::1\]:8080"),
        ("10.0.0.0/33", "is not a network"),
        ("300.0.0.0/8", "is not a network"),
        ("::ffff:10.0.0.0/104", "write the IPv4 network"),
        ("127.0.0.1:0", "not between 1 and 65535"),
        ("127.0.0.1:65536", "not between 1 and 65535"),
    ],
)
def test_a_wrong_setting_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        AllowedTargets.parse(text)


def test_truth_and_text() -> None:
    assert not AllowedTargets.parse("  ")
    allowed = AllowedTargets.parse("10.0.0.0/8,[::1]:8080")
    assert allowed
    assert str(allowed) == "10.0.0.0/8, [::1]/128:8080"
    assert AllowedTargets.parse(str(allowed)) == allowed
    assert allowed.includes_port(8080)
    assert allowed.includes_port(6379), "10.0.0.0/8 opens all its ports"
    assert not AllowedTargets.parse("[::1]:8080").includes_port(80)

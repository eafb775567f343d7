"""The rules of callback URLs: the table, the allow-list, and that nothing is repaired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronhook_core.domain.addresses import AllowedTargets, is_public
from cronhook_core.domain.callback_url import CallbackUrl, check_callback_url
from cronhook_core.errors import InvalidCallbackUrl
from tests.unit.targets.urls import ALLOWED, REFUSED

NOTHING = AllowedTargets()


def check(url: str, allowed: str = "") -> CallbackUrl:
    return check_callback_url(url, allowed=AllowedTargets.parse(allowed))


def test_the_table_is_long_enough() -> None:
    assert len(set(REFUSED)) == len(REFUSED) >= 130
    assert len(ALLOWED) >= 10


@pytest.mark.parametrize("url", REFUSED)
def test_refused(url: str) -> None:
    with pytest.raises(InvalidCallbackUrl) as refusal:
        check(url)
    assert refusal.value.pointer == "/callback_url"
    assert refusal.value.code == "invalid_callback_url"
    assert len(refusal.value.reason) > 20
    assert not any(part in refusal.value.reason for part in ("127.0.0.1", "169.254", "10.0.0", "pw"))


@pytest.mark.parametrize(("url", "expected"), ALLOWED.items())
def test_allowed(url: str, expected: tuple[str, str, int]) -> None:
    checked = check(url)
    assert (checked.url, checked.host, checked.port) == expected
    assert check(checked.url) == checked, "what is requested is itself allowed, and stays"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://good.test/" + "a" * 3000, "at most 2048"),
        ("http://good.test/" + "é" * 400, "percent-encoded as it is sent; this one has 2417"),
        ("http://good.test/\n", "no spaces, control or invisible"),
        ("http://good.test\\", "no backslash"),
        ("good.test/hook", "looks like https://example.com/path"),
        ("ftp://good.test/", "http or https"),
        ("http://u:p@good.test/", "use a header instead"),
        ("http:///x", "has no host"),
        ("http://[::1%25lo]/", "has no zone"),
        ("http://[good]/", "not an IPv6 address"),
        ("http://127.1/", "four plain decimal numbers"),
        ("http://%61.test/", "not percent-encoded"),
        ("http://a..b/", "each part of a host"),
        ("http://xn--a.test/", "IDNA"),
        ("http://good.test:70000/", "between 1 and 65535"),
        ("http://good.test:6379/", "port 6379"),
        ("http://intranet/", "local name"),
        ("http://10.0.0.1/", "not public"),
    ],
)
def test_the_reason_names_what_is_wrong(url: str, reason: str) -> None:
    with pytest.raises(InvalidCallbackUrl, match=reason):
        check(url)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8000/", "127.0.0.1/32:8000"),
        ("http://127.0.0.1:9000/", "127.0.0.0/8"),
        ("http://[::1]:8080/", "[::1]/128:8080"),
        ("http://[::ffff:10.0.0.1]/", "10.0.0.0/8"),
        ("http://10.0.0.1:6379/", "10.0.0.1/32:6379"),
        ("http://8.8.8.8:6379/", "8.8.8.8/32:6379"),
        ("http://10.0.0.1:6379/", "10.0.0.0/8"),
        ("http://receiver:6379/", "172.16.0.0/12"),
        ("http://localhost:8000/", "127.0.0.1/32:8000"),
        ("http://receiver:8000/", "172.16.0.0/12"),
        ("http://receiver:6000/", "172.16.0.0/12:6000"),
        ("http://metadata.google.internal/", "10.0.0.0/8"),
        ("http://api.default.svc.cluster.local/", "10.0.0.0/8"),
        ("http://good.test/", "10.0.0.0/8"),
    ],
)
def test_what_the_operator_opens_passes(url: str, allowed: str) -> None:
    check(url, allowed)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8001/", "127.0.0.1/32:8000"),
        ("http://127.0.0.2:8000/", "127.0.0.1/32:8000"),
        ("http://good.test:6379/", "10.0.0.0/8:8080"),
        ("http://127.1:8000/", "127.0.0.0/8"),
        ("http://0x7f000001/", "127.0.0.0/8"),
        ("http://[::1%25lo]/", "::1"),
        ("http://192.168.0.1/", "10.0.0.0/8"),
        ("http://u@127.0.0.1/", "127.0.0.0/8"),
    ],
)
def test_what_the_operator_does_not_open_stays_closed(url: str, allowed: str) -> None:
    with pytest.raises(InvalidCallbackUrl):
        check(url, allowed)


def test_a_literal_address_is_told_apart_from_a_name() -> None:
    assert str(check("http://8.8.8.8/").address) == "8.8.8.8"
    assert check("http://good.test/").address is None


PIECES = """
    http:// https:// HTTP: // / \\ @ : ? # [ ] %25 % . .. - _ \u3002 \uff0e \uff11\uff12\uff17 127 0x7f 0177 1 0
    169.254.169.254 10.0.0.1 8.8.8.8 ::1 ::ffff: 2001:4860:4860::8888 localhost good.test xn-- bücher .internal :80
    :6379
"""
url_pieces = st.sampled_from([*PIECES.split(), " ", "\t", "\r\n", "\0"])


@given(st.lists(url_pieces | st.characters(), max_size=12).map("".join) | st.text())
def test_whatever_is_written_is_refused_or_safe(url: str) -> None:
    try:
        checked = check_callback_url(url, allowed=NOTHING)
    except InvalidCallbackUrl:
        return
    assert checked.url.isascii()
    assert checked.url.isprintable()
    assert " " not in checked.url
    assert "\\" not in checked.url
    assert checked.address is None or is_public(checked.address)
    assert check_callback_url(checked.url, allowed=NOTHING) == checked

"""The one value that says where cronhook may send."""

from ipaddress import ip_address

import pytest

from cronhook_core.domain.addresses import AllowedTargets, DeniedTargets
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.errors import InvalidCallbackUrl


@pytest.mark.parametrize(
    ("address", "port", "permitted"),
    [
        ("8.8.8.8", 80, True),
        ("8.8.8.8", 6379, False),
        ("10.0.0.1", 80, False),
        ("127.0.0.1", 8000, True),
        ("127.0.0.1", 8001, False),
        ("::ffff:127.0.0.1", 8000, True),
        ("192.168.1.1", 8080, True),
        ("192.168.1.1", 5432, True),
        ("192.168.1.1", 6379, True),
    ],
)
def test_permits(address: str, port: int, permitted: bool) -> None:
    policy = TargetPolicy(allowed=AllowedTargets.parse("127.0.0.1:8000, 192.168.0.0/16, 192.168.1.1:6379"))
    assert policy.permits(ip_address(address), port) is permitted


@pytest.mark.parametrize(
    ("address", "port", "permitted"),
    [
        ("10.0.0.1", 80, True),
        ("10.0.0.2", 80, False),
        ("::ffff:10.0.0.2", 80, False),
        ("8.8.8.8", 80, True),
        ("8.8.4.4", 80, False),
        ("1.1.1.1", 443, True),
        ("1.1.1.1", 8080, False),
        ("2606:4700::1111", 443, False),
        ("2001:4860:4860::8888", 443, True),
    ],
)
def test_what_is_denied_wins_over_everything(address: str, port: int, *, permitted: bool) -> None:
    policy = TargetPolicy(
        allowed=AllowedTargets.parse("10.0.0.0/8, 1.1.1.1:8080"),
        denied=DeniedTargets.parse("10.0.0.2, 8.8.4.0/24, 1.1.1.1:8080, 2606:4700::/32"),
    )
    assert policy.permits(ip_address(address), port) is permitted
    host = f"[{address}]" if ":" in address else address
    if permitted:
        assert policy.check_url(f"http://{host}:{port}/").port == port
    else:
        with pytest.raises(InvalidCallbackUrl, match="denies"):
            policy.check_url(f"http://{host}:{port}/")


def test_urls_are_checked_with_the_same_exceptions() -> None:
    assert TargetPolicy(allowed=AllowedTargets.parse("127.0.0.1:8000")).check_url("http://127.0.0.1:8000/").port == 8000
    with pytest.raises(InvalidCallbackUrl):
        TargetPolicy().check_url("http://127.0.0.1:8000/")

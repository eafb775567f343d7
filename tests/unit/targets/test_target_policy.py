"""The one value that says where cronhook may send."""

from ipaddress import ip_address

import pytest

from cronhook_core.domain.addresses import AllowedTargets
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


def test_urls_are_checked_with_the_same_exceptions() -> None:
    assert TargetPolicy(allowed=AllowedTargets.parse("127.0.0.1:8000")).check_url("http://127.0.0.1:8000/").port == 8000
    with pytest.raises(InvalidCallbackUrl):
        TargetPolicy().check_url("http://127.0.0.1:8000/")

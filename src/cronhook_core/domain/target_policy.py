"""The one value that knows where cronhook may send: the rules of URLs and addresses with the operator's exceptions."""

from __future__ import annotations

from attrs import field, frozen

from cronhook_core.domain.addresses import NON_HTTP_PORTS, AllowedTargets, DeniedTargets, IPAddress, is_public
from cronhook_core.domain.callback_url import CallbackUrl, check_callback_url


@frozen(kw_only=True)
class TargetPolicy:
    """``allowed`` is what the operator opens beside the public addresses; ``denied`` wins over it and over them."""

    allowed: AllowedTargets = field(factory=AllowedTargets)
    denied: DeniedTargets = field(factory=DeniedTargets)

    def check_url(self, url: str) -> CallbackUrl:
        """The rules at creation and update; raises InvalidCallbackUrl."""
        return check_callback_url(url, allowed=self.allowed, denied=self.denied)

    def permits(self, address: IPAddress, port: int) -> bool:
        """The rule at every attempt, for an address to be connected to."""
        if self.denied.includes(address, port):
            return False
        if is_public(address) and port not in NON_HTTP_PORTS:
            return True
        return self.allowed.includes(address, port)

from __future__ import annotations

from typing import Protocol

from cronhook_core.domain.webhook import WebhookRequest, WebhookResult


class WebhookSender(Protocol):
    """Sends one request and says what came of it.

    Contract: whatever the network and the receiver do becomes a ``WebhookResult``, never an exception; the call ends by
    the request's ``timeout`` (± 250 ms); nothing is retried and no redirect followed: one call is at most one POST. A
    cancelled call (``asyncio.CancelledError``) closes its connection and passes the cancellation on. Any number of
    calls may be under way at once.
    """

    async def __call__(self, request: WebhookRequest, /) -> WebhookResult: ...

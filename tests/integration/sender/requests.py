"""Requests for the sender, and how long it takes with them."""

import time
from datetime import timedelta

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.webhook import WebhookRequest, WebhookResult

HEADERS = (
    ("content-type", "application/json"),
    ("webhook-id", "exe_01"),
    ("webhook-timestamp", "1772366400"),
    ("webhook-signature", "v1,AAAA"),
)


def post(url: str, *, seconds: float = 2.0, body: bytes = b"{}", **headers: str) -> WebhookRequest:
    extra = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return WebhookRequest(url=url, headers=HEADERS + extra, body=body, timeout=timedelta(seconds=seconds))


async def timed(sender: AiohttpSender, request: WebhookRequest) -> tuple[WebhookResult, float]:
    """The result and the seconds it took."""
    started = time.monotonic()
    result = await sender(request)
    return result, time.monotonic() - started

"""Requests for the sender, and how long it takes with them."""

from __future__ import annotations

import time
from datetime import timedelta

from attrs import frozen

from cronhook_core.backends.http.sender import AiohttpSender
from cronhook_core.domain.webhook import WebhookRequest, WebhookResult
from tests.machine import machine_delay

HEADERS = (
    ("content-type", "application/json"),
    ("webhook-id", "exe_01"),
    ("webhook-timestamp", "1772366400"),
    ("webhook-signature", "v1,AAAA"),
)


def post(url: str, *, seconds: float = 2.0, body: bytes = b"{}", **headers: str) -> WebhookRequest:
    extra = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return WebhookRequest(url=url, headers=HEADERS + extra, body=body, timeout=timedelta(seconds=seconds))


async def timed(sender: AiohttpSender, request: WebhookRequest) -> tuple[WebhookResult, Took]:
    with machine_delay() as delay:
        started = time.monotonic()
        result = await sender(request)
        return result, Took(seconds=time.monotonic() - started, machine_delay=delay())


@frozen(kw_only=True)
class Took:
    """How long a call took, in seconds, and by how many the machine was late in waking a thread meanwhile."""

    seconds: float
    machine_delay: float

    def between(self, least: float, most: float) -> bool:
        """Others work on the machine, too: their share is no fault of the sender's."""
        return least <= self.seconds <= most + self.machine_delay

"""Requests for the sender, and how long it takes with them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def machine_delay() -> Iterator[Callable[[], float]]:
    """Tells by how many seconds at most the machine has been late in waking a thread within the block.

    Others work on it, too: their share is no fault of the sender's.
    """
    greatest, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal greatest
        while not over.is_set():
            started = time.monotonic()
            over.wait(0.01)
            greatest = max(greatest, time.monotonic() - started - 0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: greatest
    finally:
        over.set()
        thread.join()

"""What all resources of the asynchronous client have."""

from __future__ import annotations

from cronhook_client._sending import AsyncSend


class AsyncResource:
    """Methods raise `ApiError`, `ConnectionFailed` or `UnexpectedAnswer`, after the retries."""

    def __init__(self, send: AsyncSend) -> None:
        self._send = send

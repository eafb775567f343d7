"""What all resources have."""

from __future__ import annotations

from cronhook_client._sending import Send


class Resource:
    """Methods raise `ApiError`, `ConnectionFailed` or `UnexpectedAnswer`, after the retries."""

    def __init__(self, send: Send) -> None:
        self._send = send

"""Connections that say nothing, or their request byte by byte, are not kept for ever: each takes a file descriptor."""

from __future__ import annotations

import asyncio
from typing import Any

from cronhook_server.read_timeout import ReadTimeoutProtocol

HEAD_WITHIN_SECONDS = 10.0


class HeadTimeoutProtocol(ReadTimeoutProtocol):
    """Drops a connection whose next request is not there, up to the end of its headers, within the time.

    The time begins with the connection, and then with the first byte of each further request: between two requests
    uvicorn's own limit for idle connections holds.
    """

    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        if self._is_answering():
            self._forget()
        elif self._too_late is None:
            self._too_late = asyncio.get_running_loop().call_later(HEAD_WITHIN_SECONDS, self._drop)

    def _is_answering(self) -> bool:
        return self._cycle is not None and not self._cycle.response_complete

    def _drop(self) -> None:
        if not self._is_answering():
            self.transport.abort()

    def _forget(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

"""Answers that nobody reads are not kept for ever: each takes memory, a task and a file descriptor."""

from __future__ import annotations

import asyncio

from cronhook_server.unreadable_request import UnreadableRequestProtocol

READ_WITHIN_SECONDS = 30.0
"""How long a client may read nothing of what waits for it beyond the kernel's buffers; uvicorn would wait for ever."""


class ReadTimeoutProtocol(UnreadableRequestProtocol):
    """Drops a connection whose client does not read its answers.

    The time begins whenever there is too much to be written, and once more when the connection is to be closed: what
    is left of the answer may be less than that.
    """

    _unread: asyncio.TimerHandle | None = None
    _unread_bytes = 0

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_client()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_client()
        self._watch_end()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_end()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_end()

    def shutdown(self) -> None:
        super().shutdown()
        self._watch_end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_client()
        super().connection_lost(exc)

    def _watch_end(self) -> None:
        if self.transport.is_closing():
            self._watch_client()

    def _watch_client(self) -> None:
        if self._unread is None:
            self._unread_bytes = self.transport.get_write_buffer_size()
            self._unread = asyncio.get_running_loop().call_later(READ_WITHIN_SECONDS, self._look)

    def _look(self) -> None:
        """It goes on where the client has read something meanwhile: a large answer may take longer."""
        self._unread = None
        if self.transport.get_write_buffer_size() < self._unread_bytes:
            self._watch_client()
        else:
            self.transport.abort()

    def _forget_client(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

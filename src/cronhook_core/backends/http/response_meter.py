"""A bound on what a receiver can make us hold: bytes are counted before they are parsed."""

from __future__ import annotations

import asyncio

from cronhook_core.backends.http.exchange import Exchange
from cronhook_core.domain.webhook import RESPONSE_BODY_READ_LIMIT

MAX_HEAD_BYTES = 32 * 1024
"""Bytes until the headers of an answer are complete, informational answers included."""
MAX_BODY_BYTES = 4 * RESPONSE_BODY_READ_LIMIT
"""Bytes of a body as it is transferred; chunked encoding can take six bytes to carry one."""


class ResponseMeter(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol and aborts the connection beyond the bound.

    What arrives while the connection is idle counts too, so that it cannot be used to fill our memory.
    """

    __slots__ = ("_left", "_protocol", "_transport", "exceeded", "exchange", "retires_at")

    def __init__(self, protocol: asyncio.Protocol, transport: asyncio.Transport, retires_at: float) -> None:
        self._protocol = protocol
        self._transport = transport
        self._left = 0
        self.exceeded = False
        self.exchange: Exchange | None = None
        self.retires_at = retires_at

    def begin_head(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._left = MAX_HEAD_BYTES

    def begin_body(self) -> None:
        self._left = MAX_BODY_BYTES

    def data_received(self, data: bytes) -> None:
        left = self._left
        self._left = left - len(data)
        if len(data) <= left:
            self._protocol.data_received(data)
        elif not self.exceeded:
            self.exceeded = True
            self._protocol.data_received(data[:left])
            self._transport.abort()

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

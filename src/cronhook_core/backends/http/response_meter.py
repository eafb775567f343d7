"""A bound on what a receiver can make us hold and parse: bytes are counted and dealt out before aiohttp sees them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from cronhook_core.domain.webhook import RESPONSE_BODY_READ_LIMIT

MAX_HEAD_BYTES = 32 * 1024
"""Bytes until the headers of an answer are complete, informational answers included."""
MAX_BODY_BYTES = RESPONSE_BODY_READ_LIMIT * 3 // 2
"""Bytes of a body as it is transferred, with the framing of its chunks."""
MAX_LINES = 2 * 1024
"""Line ends of an answer, each chunk having two: parsing costs by the line, not by the byte."""
HEAD_BYTES_PER_TURN = 2 * 1024
"""Bytes of headers that are parsed before other tasks have their turn: twenty can become an object of a thousand."""


class ResponseMeter(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol; aborts the connection beyond the bound.

    What arrives after the answer counts as beyond: nobody asked for it. ``retires_at`` is the loop's time after which
    the connection takes no further request.
    """

    __slots__ = (
        "__weakref__",
        "_left",
        "_lines_left",
        "_loop",
        "_per_turn",
        "_protocol",
        "_transport",
        "_waiting",
        "exceeded",
        "retires_at",
    )

    def __init__(self, protocol: asyncio.Protocol, transport: asyncio.Transport, retires_at: float) -> None:
        self._protocol = protocol
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._left = 0
        self._lines_left = 0
        self._per_turn = HEAD_BYTES_PER_TURN
        self._waiting: deque[Callable[[], object]] = deque()
        self.exceeded = False
        self.retires_at = retires_at

    @property
    def is_quiet(self) -> bool:
        """Whether the receiver has sent no more than it was asked for."""
        return not self.exceeded and not self._waiting

    def expect_answer(self) -> None:
        self._left = MAX_HEAD_BYTES
        self._per_turn = HEAD_BYTES_PER_TURN
        self._lines_left = MAX_LINES

    def expect_body(self) -> None:
        self._left = self._per_turn = MAX_BODY_BYTES

    def end(self, *, reusable: bool) -> None:
        """The exchange is over: the connection is kept when it can carry another one, and else dropped at once.

        Closing it would not do: a connection that is closed while data waits to be written stays open for as long as
        the receiver does not read.
        """
        transport = self._transport
        if reusable and self.is_quiet and not transport.is_closing() and not transport.get_write_buffer_size():
            self._left = 0
        else:
            self.abort()

    def abort(self) -> None:
        self._waiting.clear()
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        left = self._left
        self._left -= len(data)
        self._lines_left -= data.count(b"\r\n")
        if self._left < 0:
            self._exceed(data[:left])
        elif self._lines_left < 0:
            self._exceed(data[:HEAD_BYTES_PER_TURN])
        elif len(data) <= self._per_turn and not self._waiting:
            self._protocol.data_received(data)
        else:
            self._deal_out(data)

    def eof_received(self) -> None:
        if not self._after_waiting(self._protocol.eof_received):
            self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._after_waiting(partial(self._protocol.connection_lost, exc)):
            self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def _exceed(self, last: bytes) -> None:
        self._left = 0
        if not self.exceeded:
            self.exceeded = True
            self._deal_out(last)
            if not self._after_waiting(self._transport.abort):
                self._transport.abort()

    def _deal_out(self, data: bytes) -> None:
        size = self._per_turn
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        idle = not self._waiting
        self._waiting.extend(partial(self._protocol.data_received, piece) for piece in pieces)
        if idle:
            self._take_turn()

    def _after_waiting(self, act: Callable[[], object]) -> bool:
        """Whether there is something to wait for; ``act`` then comes after it."""
        if self._waiting:
            self._waiting.append(act)
        return bool(self._waiting)

    def _take_turn(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
        if self._waiting:
            self._loop.call_soon(self._take_turn)

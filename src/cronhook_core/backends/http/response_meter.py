"""A bound on what a receiver can make us hold and parse: bytes are counted and dealt out before aiohttp sees them."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from aiohttp import ClientPayloadError, StreamReader

from cronhook_core.domain.webhook import RESPONSE_BODY_READ_LIMIT

MAX_HEAD_BYTES = 32 * 1024
"""Bytes until the headers of an answer are complete, informational answers included."""
MAX_BODY_BYTES = RESPONSE_BODY_READ_LIMIT * 3 // 2
"""Bytes of a body as it is transferred, with the framing of its chunks."""
MAX_LINES = 2 * 1024
"""Line ends of an answer, each chunk having two: parsing costs by the line, not by the byte."""
HEAD_BYTES_PER_TURN = 2 * 1024
"""Bytes of headers that are parsed before other tasks have their turn: twenty can become an object of a thousand."""
_HEAD_BEGIN = b"HTTP/"
_HEAD_END = re.compile(rb"\n\r?\n")
"""The parser takes lines that end without a carriage return, too."""


class ResponseMeter(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol; aborts the connection beyond the bound.

    What arrives after the answer counts as beyond: nobody asked for it. ``retires_at`` is the loop's time after which
    the connection takes no further request.

    A head is handed on by itself, as soon as it is whole: aiohttp forgets one that is followed, in the same piece, by
    what it does not understand. And the body of a connection that is gone is told so, which aiohttp does not do where
    it was not understood.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_head_awaited",
        "_last",
        "_left",
        "_lines_left",
        "_loop",
        "_lost",
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
        self._head_awaited = False
        self._last = b""
        self._body: StreamReader | None = None
        self._waiting: deque[Callable[[], object]] = deque()
        self._lost: Callable[[], object] | None = None
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
        self._head_awaited = True
        self._last = b""
        self._body = None

    def expect_body(self, body: StreamReader) -> None:
        """``body`` is where aiohttp puts it."""
        self._head_awaited = False
        self._body = body
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
        """Drop the connection, and what of it waits to be handed on; that it was lost is told all the same."""
        self._waiting.clear()
        self._transport.abort()
        if self._lost is not None:
            self._lost()

    def data_received(self, data: bytes) -> None:
        left, lines_left = self._left, self._lines_left
        self._left = left - len(data)
        self._lines_left = lines_left - data.count(b"\r\n")
        if self._left < 0:
            self._exceed(data[:left])
        elif self._lines_left < 0:
            self._exceed(data[: _head_within(lines_left, data) + HEAD_BYTES_PER_TURN])
        elif len(data) <= self._per_turn and not self._waiting:
            self._hand_on(data)
        else:
            self._deal_out(data)

    def eof_received(self) -> None:
        if not self._after_waiting(self._protocol.eof_received):
            self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = partial(self._lose, exc)
        if not self._after_waiting(self._lost):
            self._lost()

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

    def _lose(self, exc: Exception | None) -> None:
        self._lost = None
        self._protocol.connection_lost(exc)
        if self._body is not None and not self._body.is_eof() and self._body.exception() is None:
            self._body.set_exception(ClientPayloadError("the connection was closed before the body was complete"))

    def _heads_apart(self, data: bytes) -> Sequence[bytes]:
        """Each head in ``data`` by itself, and what follows it. Informational answers have heads of their own."""
        pieces = []
        while self._head_awaited and data:
            found = _HEAD_END.search(self._last + data)
            if found is None:
                self._last = (self._last + data)[-2:]
                break
            end = found.end() - len(self._last)
            pieces.append(data[:end])
            data = data[end:]
            self._last = b""
            self._head_awaited = _HEAD_BEGIN.startswith(data[: len(_HEAD_BEGIN)])
        return [*pieces, data] if data else pieces

    def _hand_on(self, data: bytes) -> None:
        for piece in self._heads_apart(data):
            self._protocol.data_received(piece)

    def _deal_out(self, data: bytes) -> None:
        size = self._per_turn
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        idle = not self._waiting
        self._waiting.extend(partial(self._hand_on, piece) for piece in pieces)
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


def _head_within(lines: int, data: bytes) -> int:
    """The length of the heads in ``data``, or 0 where they have more ``lines`` than that or do not end."""
    end = 0
    while end == 0 or data.startswith(_HEAD_BEGIN, end):
        found = _HEAD_END.search(data, end)
        if found is None or data.count(b"\r\n", 0, found.end()) > lines:
            return 0
        end = found.end()
    return end

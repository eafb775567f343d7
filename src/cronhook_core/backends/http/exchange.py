"""What is known of one request while it is under way, shared by the sender and the hooks that aiohttp calls."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronhook_core.backends.http.response_meter import ResponseMeter
    from cronhook_core.domain.addresses import IPAddress


class Stage(Enum):
    CONNECTING = "connecting"
    RESOLVING = "resolving"
    ANSWERING = "answering"


class AddressBlocked(Exception):
    """An address that may not be called; the text is one sentence for people, without addresses."""


class Exchange:
    """One call of the sender. ``checked`` are the addresses that passed the guard."""

    __slots__ = ("blocked", "checked", "meter", "stage", "transport")

    def __init__(self) -> None:
        self.stage = Stage.CONNECTING
        self.checked: list[IPAddress] = []
        self.blocked: AddressBlocked | None = None
        self.transport: asyncio.Transport | None = None
        self.meter: ResponseMeter | None = None

    def block(self, reason: str) -> AddressBlocked:
        self.blocked = AddressBlocked(reason)
        return self.blocked

    def finish(self, *, reusable: bool) -> None:
        """Drop the connection at once unless it can carry another request.

        Closing would not do: a connection that is closed while data waits to be written stays open for as long as the
        receiver does not read. A connection that has gone on to another exchange is left alone.
        """
        meter, transport = self.meter, self.transport
        if meter is None or transport is None or meter.exchange is not self:
            return
        if not reusable or transport.is_closing() or transport.get_write_buffer_size():
            transport.abort()


current_exchange: ContextVar[Exchange] = ContextVar("current_exchange")

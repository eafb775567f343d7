"""What is known of one request while it is under way, shared by the sender and the hooks that aiohttp calls."""

from __future__ import annotations

from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import StreamReader

    from cronhook_core.backends.http.response_meter import ResponseMeter
    from cronhook_core.domain.addresses import IPAddress


class Stage(Enum):
    CONNECTING = "connecting"
    RESOLVING = "resolving"
    ANSWERING = "answering"


class AddressBlocked(Exception):
    """An address that may not be called; the text is one sentence for people, without addresses."""


class Exchange:
    """One call of the sender. ``checked`` are the addresses that passed the guard; ``meter`` is its connection's."""

    __slots__ = ("blocked", "checked", "meter", "spoke_first", "stage")

    def __init__(self) -> None:
        self.stage = Stage.CONNECTING
        self.checked: list[IPAddress] = []
        self.blocked: AddressBlocked | None = None
        self.spoke_first = False
        self.meter: ResponseMeter | None = None

    def block(self, reason: str) -> AddressBlocked:
        self.blocked = AddressBlocked(reason)
        return self.blocked

    def expect_body(self, body: StreamReader) -> None:
        if self.meter is not None:
            self.meter.expect_body(body)

    def finish(self, *, reusable: bool) -> None:
        """The connection may carry another exchange, or is dropped."""
        if self.meter is not None:
            self.meter.end(reusable=reusable)


current_exchange: ContextVar[Exchange] = ContextVar("current_exchange")

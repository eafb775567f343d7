"""Drives calls over a transport."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from random import Random
from typing import Any, Protocol, TypeVar

from attrs import field, frozen

from cronhook_client._call import Call
from cronhook_client._options import Options
from cronhook_client._retrying import tries
from cronhook_client.errors import ConnectionFailed
from cronhook_client.exchange import HttpAnswer, HttpRequest, Transport
from cronhook_client.response import Response

T = TypeVar("T")

_record: ContextVar[list[Response[Any]] | None] = ContextVar("cronhook_client_record", default=None)


class Send(Protocol):
    def __call__(self, call: Call[T], /) -> T: ...


class AsyncSend(Protocol):
    async def __call__(self, call: Call[T], /) -> T: ...


@frozen(kw_only=True)
class Sender:
    """``random`` must be one whose numbers nobody else draws: idempotency keys are made of them."""

    options: Options
    transport: Transport
    random: Random = field(repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __call__(self, call: Call[T], /) -> T:
        flow = tries(call, self.options, random=self.random, user_agent=user_agent())
        step = next(flow)
        while True:
            if step.pause:
                self.sleep(step.pause)
            outcome = self._send(step.request)
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                response: Response[T] = end.value
                return recorded(response)

    def _send(self, request: HttpRequest) -> HttpAnswer | ConnectionFailed:
        try:
            return self.transport.send(request)
        except ConnectionFailed as failure:
            return failure


@contextmanager
def recording() -> Iterator[list[Response[Any]]]:
    """The responses to calls that this thread or task makes while the block is open, in order."""
    responses: list[Response[Any]] = []
    token = _record.set(responses)
    try:
        yield responses
    finally:
        _record.reset(token)


@cache
def user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to load, and only who calls needs it

    try:
        number = version("cronhook")
    except PackageNotFoundError:  # packed into a program without it
        number = "unknown"
    return f"cronhook-client/{number} python/{sys.version_info.major}.{sys.version_info.minor}"


def recorded(response: Response[T]) -> T:
    responses = _record.get()
    if responses is not None:
        responses.append(response)
    return response.value

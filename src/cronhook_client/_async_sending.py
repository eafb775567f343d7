"""Drives calls over a transport, for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from attrs import field, frozen

from cronhook_client._call import Call
from cronhook_client._options import Options
from cronhook_client._retrying import tries
from cronhook_client._sending import recorded, user_agent
from cronhook_client.errors import ConnectionFailed
from cronhook_client.exchange import AsyncTransport, HttpAnswer, HttpRequest
from cronhook_client.response import Response

T = TypeVar("T")


@frozen(kw_only=True)
class AsyncSender:
    """`Sender` for coroutines."""

    options: Options
    transport: AsyncTransport
    random: Random = field(repr=False)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)

    async def __call__(self, call: Call[T], /) -> T:
        flow = tries(call, self.options, random=self.random, user_agent=user_agent())
        step = next(flow)
        while True:
            if step.pause:
                await self.sleep(step.pause)
            outcome = await self._send(step.request)
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                response: Response[T] = end.value
                return recorded(response)

    async def _send(self, request: HttpRequest) -> HttpAnswer | ConnectionFailed:
        try:
            return await self.transport.send(request)
        except ConnectionFailed as failure:
            return failure

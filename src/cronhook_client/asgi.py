"""Lets only verified webhooks through to an ASGI application: FastAPI, Litestar, Starlette and others.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from inspect import isawaitable
from typing import Any, TypeVar

from cronhook_client._receiving import (
    DELIVERY,
    MAX_BODY_BYTES,
    UNDER_WAY_SECONDS,
    Paths,
    Reply,
    delivery_in,
    refused,
    seen_before,
    too_large,
    whole_seconds,
)
from cronhook_client.seen import AsyncSeen, Seen, Sighting
from cronhook_client.webhook_errors import WebhookVerificationError
from cronhook_client.webhooks import Delivery, Webhook

__all__ = ["VerifyWebhooks", "delivery_of"]

T = TypeVar("T")

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[Any, Any, Any], Awaitable[None]]


class VerifyWebhooks:
    """An ASGI middleware. What is no webhook of ours is answered with 401 and the reason, and never reaches ``app``.

    ``paths``: where webhooks come to, each with all below it, with or without what the application is mounted under;
    None: every path. Other requests pass as they are. ValueError for a path that begins with no slash, and for none at
    all. A longer body than ``max_body_bytes`` is answered with 413.

    ``seen`` keeps a request from reaching ``app`` twice: a handled execution (``app`` answered 2xx) is answered with
    200, one that is still under way with 503 and a ``retry-after`` of ``under_way_seconds``, when cronhook tries again:
    no sooner than ``seen`` forgets what a process that died was at.
    """

    def __init__(
        self,
        app: _App,
        webhook: Webhook,
        *,
        paths: str | Iterable[str] | None = None,
        seen: Seen | AsyncSeen | None = None,
        under_way_seconds: float = UNDER_WAY_SECONDS,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._webhook = webhook
        self._paths = Paths(paths)
        self._seen = seen
        self._under_way_seconds = whole_seconds(under_way_seconds)
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http" or not self._paths.cover(scope.get("root_path", ""), scope["path"]):
            await self._app(scope, receive, send)
            return
        verified = await self._verified(scope, receive)
        if isinstance(verified, Reply):
            await _reply(send, verified)
        elif verified is not None:
            await self._deliver(verified, scope, receive, send)

    async def _verified(self, scope: _Scope, receive: _Receive) -> Delivery | Reply | None:
        """None: the client has gone."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                return too_large(self._max_body_bytes)
            if not message.get("more_body", False):
                break
        try:
            return self._webhook.verify(bytes(body), scope["headers"])
        except WebhookVerificationError as error:
            return refused(error)

    async def _deliver(self, delivery: Delivery, scope: _Scope, receive: _Receive, send: _Send) -> None:
        inner = {**scope, DELIVERY: delivery}
        if self._seen is None:
            await self._app(inner, _again(delivery.body, receive), send)
            return
        sighting = await _settled(self._seen.begin(delivery.execution_id))
        if sighting is not Sighting.NEW:
            await _reply(send, seen_before(sighting, self._under_way_seconds))
            return
        handled = False

        async def watched_send(message: _Message) -> None:
            nonlocal handled
            if message["type"] == "http.response.start":
                handled = 200 <= message["status"] < 300
            await send(message)

        try:
            await self._app(inner, _again(delivery.body, receive), watched_send)
        except BaseException:
            handled = False
            raise
        finally:
            await _settled_anyway(self._seen.end(delivery.execution_id, handled=handled))


def delivery_of(scope: Mapping[str, Any]) -> Delivery:
    """The verified webhook of a request, by its ASGI scope; LookupError where the request was not verified."""
    return delivery_in(scope)


def _again(body: bytes, receive: _Receive) -> _Receive:
    """Receives a body that was received already, and then whatever else comes."""
    messages: list[_Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> _Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _reply(send: _Send, reply: Reply) -> None:
    headers = [(name.encode(), value.encode()) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


_ENDING: set[Any] = set()
"""Tasks, so that nobody throws them away before they end."""


async def _settled_anyway(value: object) -> None:
    """Also where the task is cancelled again and again, as within a cancelled scope of anyio on asyncio."""
    if not isawaitable(value):
        return
    import asyncio  # who serves has it

    try:
        asyncio.get_running_loop()
    except RuntimeError:  # another library runs the coroutine
        await value
        return
    ending = asyncio.ensure_future(value)
    _ENDING.add(ending)
    ending.add_done_callback(_ENDING.discard)
    await asyncio.shield(ending)


async def _settled(value: T | Awaitable[T]) -> T:
    return await value if isawaitable(value) else value

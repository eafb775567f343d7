"""Sending webhooks with aiohttp: one POST, one absolute deadline, nothing followed, nothing retried."""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from types import TracebackType

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from yarl import URL

from cronhook_core.backends.http.answer import read_capped, result_of
from cronhook_core.backends.http.exchange import Exchange, current_exchange
from cronhook_core.backends.http.failure import failed, result_of_error, timed_out
from cronhook_core.backends.http.guard import GuardedConnector, GuardedResolver
from cronhook_core.backends.http.post import Destination, post, request_bytes
from cronhook_core.backends.http.resolver import AiodnsResolver, NameResolver
from cronhook_core.domain.addresses import AllowedTargets, DeniedTargets
from cronhook_core.domain.callback_headers import check_sendable
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.errors import InvalidCallbackUrl, InvalidHeaders

_log = logging.getLogger(__name__)

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
_DESTINATIONS_REMEMBERED = 1024


class AiohttpSender:
    """The ``WebhookSender`` of aiohttp; an async context manager, to be entered in the loop that uses it.

    ``allowed`` is what may be called beside public addresses, ``denied`` what may not whatever opens it. Addresses of
    this machine may be called where ``allowed`` includes them. ``resolver`` looks names up (the system's configuration
    by default) and is closed with the sender. ``tls`` replaces the system's trusted authorities.
    """

    def __init__(
        self,
        allowed: AllowedTargets | None = None,
        *,
        denied: DeniedTargets | None = None,
        user_agent: str | None = None,
        resolver: NameResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = TargetPolicy(allowed=allowed or AllowedTargets(), denied=denied or DeniedTargets())
        user_agent = user_agent or f"cronhook/{version('cronhook')}"
        self._defaults = (("user-agent", user_agent), ("content-type", "application/json"))
        self._names = resolver
        self._tls = tls
        self._destination = lru_cache(maxsize=_DESTINATIONS_REMEMBERED)(self._check_destination)

    async def __aenter__(self) -> AiohttpSender:
        self._resolver = GuardedResolver(self._names or AiodnsResolver(), self._policy)
        tls = self._tls or _system_tls()
        tls.hostname_checks_common_name = False  # RFC 9525, section 6.3: only the subjectAltName names a server
        self._connector = GuardedConnector(self._resolver, self._policy, tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connector.close()
        await self._resolver.close()

    async def __call__(self, request: WebhookRequest, /) -> WebhookResult:
        try:
            destination = self._destination(request.url)
            names = check_sendable(request.headers)
        except InvalidCallbackUrl as error:
            return failed(Outcome.BLOCKED, f"the callback URL may not be called: {error}", permanent=True)
        except InvalidHeaders as error:
            return failed(Outcome.BLOCKED, f"the headers may not be sent: {error}", permanent=True)
        missing = [default for default in self._defaults if default[0] not in names]
        return await self._exchange(request, destination, (*request.headers, *missing))

    def _check_destination(self, url: str) -> Destination:
        return Destination.of(URL(self._policy.check_url(url).url, encoded=True))

    async def _exchange(
        self, request: WebhookRequest, destination: Destination, headers: Sequence[tuple[str, str]]
    ) -> WebhookResult:
        exchange = Exchange()
        token = current_exchange.set(exchange)
        connection: Connection | None = None
        answer: RawResponseMessage | None = None
        body = bytearray()
        complete = False
        try:
            async with asyncio.timeout(request.timeout.total_seconds()):
                connection = await self._connector.connect(destination.wanted, [], _NO_TIMEOUT)
                answer, content = await post(connection, request_bytes(destination, headers, request.body))
                exchange.expect_body(content)
                complete = await read_capped(content, body)
        except TimeoutError:
            if answer is None:
                return timed_out(request, exchange)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the result of this attempt
            if answer is None:
                return result_of_error(error, exchange, destination.scheme) or _unexpected(error)
        finally:
            if connection is not None:
                _let_go(connection, exchange, reusable=complete and answer is not None and not answer.upgrade)
            current_exchange.reset(token)
        return result_of(request, answer.code, answer.headers, body, complete=complete)


def _let_go(connection: Connection, exchange: Exchange, *, reusable: bool) -> None:
    exchange.finish(reusable=reusable)
    if reusable:
        connection.release()
    else:
        connection.close()


def _system_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _unexpected(error: Exception) -> WebhookResult:
    # Not the error's text: it may repeat a header's value or an address.
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("sending failed unexpectedly with %s\n%s", type(error).__name__, where)
    return failed(Outcome.INTERNAL_ERROR, f"sending failed unexpectedly ({type(error).__name__})")

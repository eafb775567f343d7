"""Sending webhooks with aiohttp: one POST, one absolute deadline, nothing followed, nothing retried."""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from functools import lru_cache
from importlib.metadata import version
from types import TracebackType

import aiohttp
from multidict import CIMultiDict, istr
from yarl import URL

from cronhook_core.backends.http.answer import read_capped, result_of
from cronhook_core.backends.http.exchange import Exchange, current_exchange
from cronhook_core.backends.http.failure import failed, result_of_error, timed_out
from cronhook_core.backends.http.guard import GuardedConnector, GuardedResolver
from cronhook_core.backends.http.resolver import AiodnsResolver, NameResolver
from cronhook_core.domain.addresses import AllowedTargets
from cronhook_core.domain.callback_headers import check_sendable
from cronhook_core.domain.target_policy import TargetPolicy
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult
from cronhook_core.errors import InvalidCallbackUrl, InvalidHeaders

_log = logging.getLogger(__name__)

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
_READ_BUFFER_BYTES = 16 * 1024
_TARGETS_REMEMBERED = 1024


class _Request(aiohttp.ClientRequest):
    """aiohttp's own default headers invite compressed answers."""

    DEFAULT_HEADERS: dict[istr, str] = {}  # noqa: RUF012 - as aiohttp declares it


class AiohttpSender:
    """The ``WebhookSender`` of aiohttp; an async context manager, to be entered in the loop that uses it.

    ``allowed`` is what may be called beside public addresses. ``resolver`` looks names up (the system's configuration
    by default) and is closed with the sender. ``tls`` replaces the system's trusted authorities.
    """

    def __init__(
        self,
        allowed: AllowedTargets | None = None,
        *,
        user_agent: str | None = None,
        resolver: NameResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = TargetPolicy(allowed=allowed or AllowedTargets())
        self._user_agent = user_agent or f"cronhook/{version('cronhook')}"
        self._names = resolver
        self._tls = tls
        self._target = lru_cache(maxsize=_TARGETS_REMEMBERED)(self._check_target)

    async def __aenter__(self) -> AiohttpSender:
        self._resolver = GuardedResolver(self._names or AiodnsResolver(), self._policy)
        self._session = aiohttp.ClientSession(
            connector=GuardedConnector(self._resolver, self._policy, self._tls or _system_tls()),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=_Request,
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_BUFFER_BYTES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._resolver.close()

    async def __call__(self, request: WebhookRequest, /) -> WebhookResult:
        try:
            target = self._target(request.url)
            check_sendable(request.headers)
        except InvalidCallbackUrl as error:
            return failed(Outcome.BLOCKED, f"the callback URL may not be called: {error}", permanent=True)
        except InvalidHeaders as error:
            return failed(Outcome.BLOCKED, f"the headers may not be sent: {error}", permanent=True)
        return await self._exchange(request, target)

    def _check_target(self, url: str) -> URL:
        return URL(self._policy.check_url(url).url, encoded=True)

    async def _exchange(self, request: WebhookRequest, target: URL) -> WebhookResult:
        exchange = Exchange()
        token = current_exchange.set(exchange)
        response: aiohttp.ClientResponse | None = None
        body = bytearray()
        complete = False
        try:
            async with asyncio.timeout(request.timeout.total_seconds()):
                response = await self._session.post(
                    target, data=request.body, headers=self._headers(request), allow_redirects=False
                )
                if exchange.meter is not None:
                    exchange.meter.expect_body()
                complete = await read_capped(response.content, body)
        except TimeoutError:
            if response is None:
                return timed_out(request, exchange)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the result of this attempt
            if response is None:
                return result_of_error(error, exchange, target.scheme) or _unexpected(error)
        finally:
            # A whole answer has given its connection back by now, unless that speaks another protocol since.
            exchange.finish(reusable=complete and response is not None and response.closed)
            if response is not None:
                response.close()
            current_exchange.reset(token)
        return result_of(request, response.status, response.headers, body, complete=complete)

    def _headers(self, request: WebhookRequest) -> CIMultiDict[str]:
        headers = CIMultiDict(request.headers)
        headers.setdefault("user-agent", self._user_agent)
        headers.setdefault("content-type", "application/json")
        return headers


def _system_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _unexpected(error: Exception) -> WebhookResult:
    # Not the error's text: it may repeat a header's value or an address.
    where = "".join(traceback.format_tb(error.__traceback__))
    _log.error("sending failed unexpectedly with %s\n%s", type(error).__name__, where)
    return failed(Outcome.INTERNAL_ERROR, f"sending failed unexpectedly ({type(error).__name__})")

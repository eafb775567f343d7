"""All tries of one call, as a flow without I/O: it yields what to send after which pause, and is told what came of it.

Tried again are: a connection that could not be made or broke, 408, 429 (but never ``quota_exceeded``), 5xx, and an
idempotency key whose first request is still under way. What must not be done twice is tried again only where the
server certainly did not do it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from random import Random
from typing import TypeVar
from urllib.parse import urlencode

from attrs import frozen

from cronhook_client._call import Call, Repeat
from cronhook_client._options import Options
from cronhook_client._reading import error_of, is_json, nothing, value_of
from cronhook_client.errors import (
    ApiError,
    ConnectionFailed,
    IdempotencyInProgress,
    QuotaExceeded,
    RequestTimeout,
    ServerError,
    TooManyRequests,
    UnexpectedAnswer,
)
from cronhook_client.exchange import HttpAnswer, HttpRequest
from cronhook_client.response import Response

T = TypeVar("T")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
MOST_RETRY_AFTER = 30.0
"""Seconds. Where the server asks for a longer pause, the error is raised at once."""
RETRY_AFTER_SPREAD = 0.1

_log = logging.getLogger("cronhook_client")

Failure = ConnectionFailed | ApiError | UnexpectedAnswer


@frozen(kw_only=True)
class Try:
    """Wait ``pause`` seconds, then send the request."""

    request: HttpRequest
    pause: float


def tries(
    call: Call[T], options: Options, *, random: Random, user_agent: str
) -> Generator[Try, HttpAnswer | ConnectionFailed, Response[T]]:
    """Ends with the response, or raises the error of the last try."""
    request = request_of(call, options, random=random, user_agent=user_agent)
    pause, retries, maybe_done = 0.0, 0, False
    while True:
        outcome = yield Try(request=request, pause=pause)
        if isinstance(outcome, HttpAnswer) and _is_success(call, outcome, maybe_done=maybe_done):
            return Response(value=value_of(outcome, call.route.read), answer=outcome, retries=retries)
        failure = outcome if isinstance(outcome, ConnectionFailed) else error_of(outcome)
        next_pause = pause_after(failure, repeat=call.route.repeat, retries=retries, spread=random.random())
        if next_pause is None or retries >= options.max_retries:
            raise failure
        _log.info("%s %s: trying again in %.1f s after %r", request.method, call.path, next_pause, failure.code)
        pause, retries, maybe_done = next_pause, retries + 1, maybe_done or _may_be_done(failure)


def request_of(call: Call[T], options: Options, *, random: Random, user_agent: str) -> HttpRequest:
    """The request that every try sends: its idempotency key, where it has one, is drawn here."""
    headers = {"accept": "application/json", "user-agent": user_agent}
    if call.route.needs_key:
        headers["x-api-key"] = options.api_key
    if call.body is not None:
        headers["content-type"] = "application/json"
    if call.route.repeat is Repeat.KEYED:
        given = call.idempotency_key
        headers["idempotency-key"] = f"{random.getrandbits(128):032x}" if given is None else given
    query = f"?{urlencode(call.query)}" if call.query else ""
    return HttpRequest(
        method=call.route.method,
        url=f"{options.base_url}{call.path}{query}",
        headers=headers,
        body=call.body,
        timeout=options.timeout,
    )


def pause_after(failure: Failure, *, repeat: Repeat, retries: int, spread: float) -> float | None:
    """Seconds until the next try; None: there is none.

    ``retries`` were made before; ``spread`` is a random number in [0, 1) that keeps clients from returning together.
    """
    if not _may_be_repeated(failure, repeat):
        return None
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(retries, 10)) * (1 + spread) / 2
    asked = failure.retry_after if isinstance(failure, ApiError) else None
    if asked is None:
        return pause
    return max(pause, asked * (1 + RETRY_AFTER_SPREAD * spread)) if asked <= MOST_RETRY_AFTER else None


def _may_be_repeated(failure: Failure, repeat: Repeat) -> bool:
    if isinstance(failure, RequestTimeout | TooManyRequests | IdempotencyInProgress):
        return not isinstance(failure, QuotaExceeded)
    if isinstance(failure, ConnectionFailed | ServerError):
        return repeat is not Repeat.NEVER or not _may_be_done(failure)
    return False


def _may_be_done(failure: Failure) -> bool:
    """Whether the server may have done what it was asked for."""
    return failure.sent if isinstance(failure, ConnectionFailed) else isinstance(failure, ServerError)


def _is_success(call: Call[T], answer: HttpAnswer, *, maybe_done: bool) -> bool:
    """A deletion was done by an earlier try where the API itself says of its repeat that it finds nothing.

    Where no body shows that cronhook answered, only the route's own status does.
    """
    route = call.route
    if route.method == "DELETE" and answer.status == 404 and maybe_done:
        return error_of(answer).code == "not_found"
    if route.read is nothing:
        return answer.status == route.status
    return 200 <= answer.status < 300 or (answer.status in route.told_by and is_json(answer))

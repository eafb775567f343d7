"""Whatever goes wrong becomes an answer after RFC 9457."""

from __future__ import annotations

import math
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from cronhook_core.errors import CronhookError, RateLimited
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.problem import RETRY_AFTER_SECONDS, Problem, problem, problem_of
from cronhook_core.wire.strict_json import render_json
from cronhook_server.pages import MAX_INSTANCE_LENGTH, PROBLEM
from cronhook_server.request_scope import request_id_of

_log = structlog.get_logger("cronhook.api")

_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large", 415: "unsupported_media_type"}


class RequestRefused(CronhookError):
    """The request itself, not what it asks for, cannot be taken."""


class RequestTimeout(RequestRefused):
    code = "request_timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the whole body must arrive within {seconds:g} seconds")


class PayloadTooLarge(RequestRefused):
    code = "payload_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body of this request may have at most {limit} bytes: send less at once")


class UnsupportedMediaType(RequestRefused):
    code = "unsupported_media_type"


def exception_handlers() -> ExceptionHandlersMap:
    return {CronhookError: _on_our_error, HTTPException: _on_http_exception, Exception: _on_mistake}


def respond_with_problem(told: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        render_json(to_json(told)),
        status_code=told.status,
        media_type=PROBLEM,
        headers=_headers_of(told) | (headers or {}),
    )


def _on_our_error(request: Request[Any, Any, Any], error: CronhookError) -> Response[bytes]:
    told = problem_of(error, instance=_instance(request), request_id=request_id_of(request.scope))
    if told.status == 500:
        _log.error("request_failed", exc_info=error)
    elif told.status == 503:
        _log.warning("request_unavailable", reason=str(error))
    wait = (
        {"retry-after": str(math.ceil(error.retry_after.total_seconds()))} if isinstance(error, RateLimited) else None
    )
    return respond_with_problem(told, wait)


def _on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """The framework's own refusals: no such route, not this method, a request that it cannot read."""
    if error.status_code >= 500:
        return _on_mistake(request, error)
    code = _BY_STATUS.get(error.status_code, "invalid_request")
    detail = {
        "not_found": f"There is nothing at {_instance(request)}.",
        "method_not_allowed": f"{request.method} is not allowed here.",
    }.get(code, "The request cannot be read.")
    told = problem(code, detail, instance=_instance(request), request_id=request_id_of(request.scope))
    allowed = (error.headers or {}).get("allow")
    return respond_with_problem(told, {"allow": ", ".join(sorted(allowed.split(", ")))} if allowed else None)


def _on_mistake(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _log.error("request_failed", exc_info=error)
    instance = _instance(request)
    return respond_with_problem(problem("internal", "", instance=instance, request_id=request_id_of(request.scope)))


def _instance(request: Request[Any, Any, Any]) -> str:
    return request.scope["path"][:MAX_INSTANCE_LENGTH]


def _headers_of(told: Problem) -> dict[str, str]:
    headers = {}
    if told.status == 401:
        headers["www-authenticate"] = 'ApiKey realm="cronhook", header="x-api-key"'
    if told.code in RETRY_AFTER_SECONDS:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS[told.code])
    if told.status in (408, 413):  # what is left of the body is not read
        headers["connection"] = "close"
    return headers

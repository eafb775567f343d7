"""The cronhook client SDK, and the receiver's side of its webhooks.

A name's module is loaded when the name is first used: a receiver that only verifies webhooks loads nothing but the
standard library. What calls return is in `cronhook_client.models`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronhook_client._options import InsecureTransportWarning
    from cronhook_client.async_client import AsyncCronhook
    from cronhook_client.client import Cronhook
    from cronhook_client.errors import (
        ApiError,
        BadRequest,
        ConfigurationError,
        Conflict,
        ConnectionFailed,
        CronhookError,
        Forbidden,
        IdempotencyInProgress,
        IdempotencyMismatch,
        NotFound,
        PayloadTooLarge,
        QuotaExceeded,
        RequestTimeout,
        ServerError,
        TimedOut,
        TooManyRequests,
        Unauthenticated,
        Unavailable,
        UnexpectedAnswer,
    )
    from cronhook_client.response import Response
    from cronhook_client.webhook_errors import WebhookVerificationError
    from cronhook_client.webhooks import Delivery, Webhook

__all__ = [
    "ApiError",
    "AsyncCronhook",
    "BadRequest",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "Cronhook",
    "CronhookError",
    "Delivery",
    "Forbidden",
    "IdempotencyInProgress",
    "IdempotencyMismatch",
    "InsecureTransportWarning",
    "NotFound",
    "PayloadTooLarge",
    "QuotaExceeded",
    "RequestTimeout",
    "Response",
    "ServerError",
    "TimedOut",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Webhook",
    "WebhookVerificationError",
]

_HOMES = {
    "AsyncCronhook": "async_client",
    "Cronhook": "client",
    "Delivery": "webhooks",
    "InsecureTransportWarning": "_options",
    "Response": "response",
    "Webhook": "webhooks",
    "WebhookVerificationError": "webhook_errors",
}
"""The modules of all public names but those of `cronhook_client.errors`."""

if not TYPE_CHECKING:  # a checker would take any name for a public one

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

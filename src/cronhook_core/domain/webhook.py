"""One HTTP request that cronhook makes, and what came of it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from attrs import field, frozen

from cronhook_core.domain.callback_headers import headers_repr

RESPONSE_BODY_READ_LIMIT = 64 * 1024
"""Bytes of a response's body that are read before the connection is closed."""
RESPONSE_BODY_STORED_LIMIT = 4 * 1024
"""Bytes of a response's body that are kept in the log."""
RESPONSE_HEADER_STORED_LIMIT = 256
"""Characters of the value of a response's header that are kept in the log."""


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    HTTP_ERROR = "http_error"
    TIMEOUT = "timeout"
    DNS_ERROR = "dns_error"
    CONNECT_ERROR = "connect_error"
    TLS_ERROR = "tls_error"
    PROTOCOL_ERROR = "protocol_error"
    BLOCKED = "blocked"
    LOST = "lost"
    INTERRUPTED = "interrupted"
    RELEASED = "released"
    INTERNAL_ERROR = "internal_error"


@frozen(kw_only=True)
class WebhookRequest:
    """A POST that is ready to be written: ``headers`` are all of ours and the user's, in the order they are sent.

    ``timeout`` is one absolute deadline around name look-up, connection, TLS, writing, headers and body.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=headers_repr)
    body: bytes
    timeout: timedelta


@frozen(kw_only=True)
class WebhookResult:
    """What came of a request.

    ``outcome`` may be given as its word; `ValueError` for any other. ``error`` is one sentence for people, None on
    success; it never names an address. ``response_body`` holds at most ``RESPONSE_BODY_STORED_LIMIT`` bytes decoded
    as UTF-8 with replacement, without NUL, and None when no headers came. ``retry_after`` is the receiver's wish,
    already relative. ``permanent`` says that trying again cannot help: the stored request can no longer be sent.
    """

    outcome: Outcome = field(converter=Outcome)
    error: str | None = None
    response_status: int | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: str | None = None
    response_truncated: bool = False
    retry_after: timedelta | None = None
    permanent: bool = False

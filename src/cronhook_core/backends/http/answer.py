"""From a receiver's answer to the result of an attempt: what is kept of it, and how it is made harmless."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cronhook_core.backends.http.retry_after import parse_http_date, parse_retry_after
from cronhook_core.domain.webhook import (
    RESPONSE_BODY_READ_LIMIT,
    RESPONSE_BODY_STORED_LIMIT,
    RESPONSE_HEADER_STORED_LIMIT,
    Outcome,
    WebhookRequest,
    WebhookResult,
)

if TYPE_CHECKING:
    from aiohttp import StreamReader

STORED_HEADERS = (
    "content-length",
    "content-type",
    "date",
    "location",
    "retry-after",
    "server",
    "x-request-id",
)
"""What helps to understand an answer; cookies and everything else are not kept."""

_STATUSES_WITH_RETRY_AFTER = (429, 503)


async def read_capped(content: StreamReader, into: bytearray) -> bool:
    """Read the raw body until its end (True) or until more than the limit has come (False).

    ``into`` gets what is to be stored and one byte more, as a sign that there was more. It keeps what was read when
    this is cancelled or the body breaks.
    """
    total = 0
    while not content.at_eof():
        piece = await content.readany()
        total += len(piece)
        into += piece[: RESPONSE_BODY_STORED_LIMIT + 1 - len(into)]
        if total > RESPONSE_BODY_READ_LIMIT:
            return False
    return True


def result_of(
    request: WebhookRequest, status: int, headers: Mapping[str, str], body: bytearray, *, complete: bool
) -> WebhookResult:
    """The result of an answer whose headers came in; ``complete`` says whether its body did, too."""
    succeeded = 200 <= status <= 299
    text, whole = _stored_text(body)
    return WebhookResult(
        outcome=Outcome.SUCCEEDED if succeeded else Outcome.HTTP_ERROR,
        error=None if succeeded else _explain(status),
        response_status=status,
        response_headers=_stored_headers(headers),
        response_body=text,
        response_truncated=not (complete and whole),
        retry_after=_retry_after(request, headers) if status in _STATUSES_WITH_RETRY_AFTER else None,
    )


def _explain(status: int) -> str:
    if 300 <= status <= 399:
        return f"the receiver answered {status}; redirects are not followed"
    return f"the receiver answered {status}"


def _stored_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple([(name, _harmless(headers[name])) for name in STORED_HEADERS if name in headers])


def _harmless(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        # aiohttp keeps bytes that are not UTF-8 as lone surrogates, which no database takes.
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        value = "".join(character for character in value if character.isprintable())
    return value[:RESPONSE_HEADER_STORED_LIMIT]


def _stored_text(body: bytearray) -> tuple[str, bool]:
    """The beginning as text without NUL, at most the limit in bytes as UTF-8, and whether that is all of it.

    No character is cut in two. What is no UTF-8 takes more bytes as text than it did.
    """
    head = body[:RESPONSE_BODY_STORED_LIMIT]
    if head.isascii():
        return head.decode("ascii").replace("\0", ""), len(head) == len(body)
    text = head.decode("utf-8", "replace").replace("\0", "")
    if len(body) > len(head):
        text = text.rstrip("\ufffd")
    encoded = text.encode()
    kept = encoded[:RESPONSE_BODY_STORED_LIMIT]
    return kept.decode("utf-8", "ignore"), len(head) == len(body) and len(kept) == len(encoded)


def _retry_after(request: WebhookRequest, headers: Mapping[str, str]) -> timedelta | None:
    value = headers.get("retry-after")
    if value is None:
        return None
    return parse_retry_after(value, sent_at=parse_http_date(headers.get("date", "")) or _signed_at(request))


def _signed_at(request: WebhookRequest) -> datetime | None:
    """The instant of the attempt by its ``webhook-timestamp``: a receiver's date is compared with that, not a clock."""
    for name, value in request.headers:
        if name.lower() == "webhook-timestamp" and value.isdecimal() and len(value) <= 11:
            return datetime.fromtimestamp(int(value), UTC)
    return None

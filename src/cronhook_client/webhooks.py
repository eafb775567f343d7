"""The receiver's side: is this request one of ours? (Standard Webhooks 1.0, https://www.standardwebhooks.com)

Standard library only, as is all that it imports.
"""

from __future__ import annotations

import binascii
import hmac
import json
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from cronhook_client.webhook_errors import (
    InvalidSecret,
    MalformedHeader,
    MissingHeader,
    SignatureMismatch,
    TimestampOutOfTolerance,
    WebhookVerificationError,
)

__all__ = [
    "Delivery",
    "InvalidSecret",
    "MalformedHeader",
    "MissingHeader",
    "SignatureMismatch",
    "TimestampOutOfTolerance",
    "Webhook",
    "WebhookVerificationError",
]

TOLERANCE = timedelta(minutes=5)
SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every secret, not one of them
SHORTEST_SECRET = 24
"""Bytes, as the standard asks."""

_ID, _TIMESTAMP, _SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_JOB_ID, _SCHEDULED_FOR, _ATTEMPT = "cronhook-job-id", "cronhook-scheduled-for", "cronhook-attempt"
_VERSION = "v1,"
_WEBHOOK_ID = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,255}")
_SECONDS = re.compile(r"[0-9]{1,11}")


class _HasItems(Protocol):
    def items(self) -> Iterable[tuple[Any, Any]]: ...


Headers = _HasItems | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""Headers as frameworks have them: whatever has ``items``, or pairs; texts or bytes, names in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A verified webhook. Signed are ``execution_id``, ``timestamp`` and ``body``.

    ``execution_id`` is the same over all attempts of an execution: deduplicate by it. ``job_id``, ``scheduled_for`` and
    ``attempt`` (from 1) are what the request's other headers say, which no signature covers; None where they do not.
    """

    execution_id: str
    timestamp: datetime
    body: bytes = field(repr=False)
    job_id: str | None = None
    scheduled_for: datetime | None = None
    attempt: int | None = None

    def json(self) -> Any:
        """The job's payload."""
        return json.loads(self.body)


class Webhook:
    """Verifies webhooks that are signed with any of these secrets.

    ``secret`` is ``whsec_…`` as the API shows it, or several of them: while a secret is being replaced, the old and the
    new one. The timestamp of a request may differ from ``clock``, which tells Unix seconds, by ``tolerance`` in both
    directions; zero or more. Raises `InvalidSecret`, and ValueError for a negative tolerance.
    """

    def __init__(
        self,
        secret: str | Iterable[str],
        *,
        tolerance: timedelta = TOLERANCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        given = (secret,) if isinstance(secret, str | bytes) else tuple(secret or ())
        if not given:
            raise InvalidSecret("there is no signing secret")
        if tolerance < timedelta():
            raise ValueError(f"tolerance must not be negative, not {tolerance}: it would refuse every webhook")
        self._secrets = tuple(map(_secret_bytes, given))
        self._tolerance = tolerance.total_seconds()
        self._clock = clock

    def verify(self, body: bytes | str, headers: Headers) -> Delivery:
        """The webhook that this request is; raises a `WebhookVerificationError` that says why it is none.

        ``body`` is the raw body as it was received, before anything parsed it (a text is taken as UTF-8).
        """
        raw = _raw(body)
        found = _Found(headers)
        execution_id = found.required(_ID)
        if not _WEBHOOK_ID.fullmatch(execution_id):
            raise MalformedHeader(_ID, "is not one word without full stops")
        timestamp = found.required(_TIMESTAMP)
        if not _SECONDS.fullmatch(timestamp):
            raise MalformedHeader(_TIMESTAMP, "is not a number of seconds")
        signatures = _signatures(found.required(_SIGNATURE))
        age = self._clock() - int(timestamp)
        if abs(age) > self._tolerance:
            raise TimestampOutOfTolerance(age, self._tolerance)
        self._check(signatures, _signed(execution_id, timestamp, raw))
        return Delivery(
            execution_id=execution_id,
            timestamp=datetime.fromtimestamp(int(timestamp), UTC),
            body=raw,
            job_id=found.optional(_JOB_ID),
            scheduled_for=_instant(found.optional(_SCHEDULED_FOR)),
            attempt=_number(found.optional(_ATTEMPT)),
        )

    def sign(self, body: bytes | str, *, execution_id: str = "exe_test", at: datetime | None = None) -> dict[str, str]:
        """The headers of a webhook with this body, signed with the first secret: for tests of a receiver.

        ``at`` (aware) is when it was sent; None: now.
        """
        if at is not None and at.tzinfo is None:
            raise ValueError(f"at must be an aware datetime, not the naive {at}")
        timestamp = str(int(self._clock() if at is None else at.timestamp()))
        signature = _signature(self._secrets[0], _signed(execution_id, timestamp, _raw(body)))
        return {
            "content-type": "application/json",
            _ID: execution_id,
            _TIMESTAMP: timestamp,
            _SIGNATURE: _VERSION + signature.decode(),
        }

    def _check(self, signatures: list[bytes], signed: bytes) -> None:
        fits = False
        for secret in self._secrets:
            expected = _signature(secret, signed)
            for signature in signatures:
                fits |= hmac.compare_digest(expected, signature)
        if not fits:
            raise SignatureMismatch


class _Found:
    """Headers by their names in lower case."""

    def __init__(self, headers: Headers) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in _pairs(headers):
            self._values.setdefault(_text(name).lower(), []).append(_text(value))

    def required(self, name: str) -> str:
        values = self._values.get(name)
        if not values:
            raise MissingHeader(name)
        if len(values) > 1:
            raise MalformedHeader(name, "is there more than once")
        return values[0].strip(" \t")

    def optional(self, name: str) -> str | None:
        values = self._values.get(name)
        return values[0] if values else None


def _pairs(headers: Any) -> Iterable[tuple[str | bytes, str | bytes]]:
    pairs: Iterable[tuple[str | bytes, str | bytes]] = headers.items() if hasattr(headers, "items") else headers
    return pairs


def _signed(execution_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{execution_id}.{timestamp}.".encode() + body


def _signature(secret: bytes, signed: bytes) -> bytes:
    return b64encode(hmac.digest(secret, signed, "sha256"))


def _signatures(written: str) -> list[bytes]:
    """Those of the version that this module knows; others may stand beside them."""
    known = [part.removeprefix(_VERSION) for part in written.split(" ") if part.startswith(_VERSION)]
    if not known:
        raise MalformedHeader(_SIGNATURE, f"has no signature that begins with {_VERSION}")
    return [signature.encode("utf-8", "replace") for signature in known]


def _secret_bytes(secret: str) -> bytes:
    if not str(secret).startswith(SECRET_PREFIX):
        raise InvalidSecret(f"a signing secret is a text that starts with {SECRET_PREFIX}")
    try:
        decoded = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSecret(f"a signing secret is base64 after {SECRET_PREFIX}") from None
    if len(decoded) < SHORTEST_SECRET:
        raise InvalidSecret(f"a signing secret has {SHORTEST_SECRET} bytes or more, this one has {len(decoded)}")
    return decoded


def _raw(body: bytes | str) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise TypeError(f"verify takes the raw body as bytes, not a {type(body).__name__}: give it what was received")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _instant(written: str | None) -> datetime | None:
    try:
        instant = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _number(written: str | None) -> int | None:
    return int(written) if written and _SECONDS.fullmatch(written) else None

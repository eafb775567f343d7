"""Signatures of webhooks: Standard Webhooks 1.0 (https://www.standardwebhooks.com), symmetric, over bytes."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from functools import lru_cache

from cronhook_core.domain.key_derivation import derive_key

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every secret, not one of them
VERSION = "v1"


def sign(secret: bytes, *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """``v1,`` and the base64 of the HMAC-SHA256 of ``id.timestamp.body``; ``timestamp`` in Unix seconds."""
    keyed = _keyed(secret).copy()
    keyed.update(b"%b.%d.%b" % (webhook_id.encode(), timestamp, body))
    return f"{VERSION},{b64encode(keyed.digest()).decode()}"


@lru_cache(maxsize=1024)
def _keyed(secret: bytes) -> hmac.HMAC:
    """A secret signs many webhooks, and to begin with it costs as much as a short body does."""
    return hmac.new(secret, digestmod="sha256")


def signature_header(secrets: Iterable[bytes], *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one signature per secret, so that a receiver may know either of two."""
    return " ".join([sign(secret, webhook_id=webhook_id, timestamp=timestamp, body=body) for secret in secrets])


def derive_signing_secret(secret_key: bytes | str, *, workspace_id: str, version: int) -> bytes:
    """The 32 bytes that sign one workspace's webhooks; a rotation is a new ``version``."""
    return derive_key(secret_key, "signing-secret", workspace_id, str(version))


def encode_secret(secret: bytes) -> str:
    """The form that users are given: ``whsec_`` and base64."""
    return SECRET_PREFIX + b64encode(secret).decode()


def decode_secret(text: str) -> bytes:
    """The bytes of a secret in the form that users are given; raises ValueError, which does not repeat it."""
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"a signing secret starts with {SECRET_PREFIX}")
    try:
        return b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a signing secret is base64 after {SECRET_PREFIX}") from None

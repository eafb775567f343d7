"""Keys for single purposes, derived from one secret (HKDF with SHA-256, RFC 5869)."""

from __future__ import annotations

import hashlib
import hmac

KEY_BYTES = 32
MIN_SECRET_KEY_LENGTH = 32
"""Characters of the secret that everything is derived from."""


_KEY_ID_LENGTH = 8


def key_id(secret_key: bytes | str) -> str:
    """Tells secrets apart and says nothing of them."""
    return derive_key(secret_key, "key-id").hex()[:_KEY_ID_LENGTH]


def derive_key(secret_key: bytes | str, *purpose: str) -> bytes:
    """32 bytes that follow from the secret and the purpose alone; other purposes give unrelated keys.

    The words of ``purpose`` are joined by NUL and must not contain it. Text is taken as UTF-8. There is no salt: the
    secret is one of many random bits already.
    """
    if any("\0" in word for word in purpose):
        raise ValueError("a word of a purpose contains no NUL")
    secret = secret_key.encode() if isinstance(secret_key, str) else secret_key
    pseudorandom_key = hmac.digest(bytes(hashlib.sha256().digest_size), secret, "sha256")
    info = "\0".join(("cronhook", *purpose)).encode()
    return hmac.digest(pseudorandom_key, info + b"\x01", "sha256")

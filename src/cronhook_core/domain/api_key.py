"""API keys: their form, their checksum, and what is stored of them.

A key is ``chk_``, 43 base62 characters (256 random bits) and 6 base62 characters of their CRC32, so that a mistyped key
costs no look-up and a leaked one is found by scanners. Stored is only its HMAC-SHA256 under a pepper.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from attrs import evolve, field, frozen

from cronhook_core.domain.instants import aware, aware_or_none

PREFIX = "chk_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH = 43
_CHECKSUM_LENGTH = 6
_DISPLAY_LENGTH = 12


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


def _as_set(scopes: Iterable[Scope]) -> frozenset[Scope]:
    return frozenset(scopes)


@frozen(kw_only=True)
class ApiKey:
    """A stored key: ``digest`` is `digest_of` its text, ``prefix`` its first characters, to tell keys apart."""

    id: str
    workspace_id: str
    name: str
    prefix: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope] = field(converter=_as_set)
    created_at: datetime = field(validator=aware)
    expires_at: datetime | None = field(default=None, validator=aware_or_none)
    revoked_at: datetime | None = field(default=None, validator=aware_or_none)
    last_used_at: datetime | None = field(default=None, validator=aware_or_none)

    def is_valid(self, now: datetime) -> bool:
        ended = (instant for instant in (self.expires_at, self.revoked_at) if instant is not None)
        return all(now < instant for instant in ended)

    def seen_at(self, now: datetime) -> ApiKey:
        """As its owner sees it: one that was replaced expires when its grace ends, and then it was revoked."""
        if self.revoked_at is None or self.revoked_at <= now:
            return self
        return evolve(self, revoked_at=None, expires_at=min(self.revoked_at, self.expires_at or self.revoked_at))

    def may_be_replaced(self, now: datetime) -> bool:
        """Whether it is valid, and not just being revoked by somebody whose clock is ahead."""
        return self.revoked_at is None and self.is_valid(now)


def key_from_bits(bits: int) -> str:
    """The text of a key made of 256 random bits."""
    body = _base62(bits, _RANDOM_LENGTH)
    return f"{PREFIX}{body}{_checksum(body)}"


def is_well_formed(key: str) -> bool:
    """Whether the form and the checksum are right; says nothing about its being known."""
    body = key.removeprefix(PREFIX)
    if len(body) != _RANDOM_LENGTH + _CHECKSUM_LENGTH or len(key) == len(body) or not body.isascii():
        return False
    return hmac.compare_digest(_checksum(body[:_RANDOM_LENGTH]), body[_RANDOM_LENGTH:])


def display_prefix(key: str) -> str:
    return key[:_DISPLAY_LENGTH]


def digest_of(key: str, pepper: bytes) -> bytes:
    return hmac.digest(pepper, key.encode(), hashlib.sha256)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, width: int) -> str:
    characters = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))

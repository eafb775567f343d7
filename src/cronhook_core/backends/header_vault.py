"""Secret headers at rest: AES-256-GCM under a key that follows from ``CRONHOOK_SECRET_KEY``."""

from __future__ import annotations

import os
from collections.abc import Callable

from cronhook_core.domain.key_derivation import derive_key, key_id
from cronhook_core.domain.sealed_values import NONCE_BYTES, SealedValue
from cronhook_core.errors import MissingDependency, UnreadableSecret

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ModuleNotFoundError as missing:
    raise MissingDependency("webhooks", missing.name or "cryptography") from missing

_PURPOSE = "callback-headers"


class AesGcmHeaderVault:
    """The `HeaderVault` of one secret. ``random_bytes`` makes nonces; a nonce must never come twice.

    With random nonces of 96 bits one key is good for 2**32 values (NIST SP 800-38D, section 8.3).
    """

    def __init__(self, secret_key: str, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self.key_id = key_id(secret_key)
        self._cipher = AESGCM(derive_key(secret_key, _PURPOSE))
        self._random_bytes = random_bytes

    def seal(self, value: str, *, job_id: str, name: str) -> str:
        nonce = self._random_bytes(NONCE_BYTES)
        box = nonce + self._cipher.encrypt(nonce, value.encode(), _bound_to(job_id, name))
        return str(SealedValue(key_id=self.key_id, box=box))

    def open(self, sealed: str, *, job_id: str, name: str) -> str:
        try:
            value = SealedValue.parse(sealed)
        except ValueError:
            raise UnreadableSecret(name, "it is damaged") from None
        if value.key_id != self.key_id:
            raise UnreadableSecret(
                name, f"another CRONHOOK_SECRET_KEY encrypted it (key {value.key_id[:8]}, this one is {self.key_id})"
            )
        nonce, box = value.box[:NONCE_BYTES], value.box[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, box, _bound_to(job_id, name)).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise UnreadableSecret(name, "it is not what was encrypted for this job and this header") from None


def _bound_to(job_id: str, name: str) -> bytes:
    return f"{job_id}\0{name.lower()}".encode()

"""How the value of a secret header looks while it is stored: encrypted, and like nothing that anybody may write.

``§<key id>.<base64 of nonce, ciphertext and tag>``. A header's value is ASCII, so that neither a user can write one of
these nor a sender send it unopened.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from attrs import field, frozen

SIGN = "\N{SECTION SIGN}"
NONCE_BYTES = 12
TAG_BYTES = 16


def is_sealed(value: str) -> bool:
    return value.startswith(SIGN)


@frozen(kw_only=True)
class SealedValue:
    """``key_id`` tells which key opens it; ``box`` is nonce, ciphertext and tag."""

    key_id: str
    box: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> SealedValue:
        """Raises ValueError for what is no sealed value, or damaged."""
        key_id, dot, box = text.removeprefix(SIGN).partition(".")
        if not is_sealed(text) or not dot:
            raise ValueError("this is not a sealed value")
        try:
            sealed = cls(key_id=key_id, box=b64decode(box, validate=True))
        except binascii.Error:
            raise ValueError("a sealed value is damaged") from None
        if len(sealed.box) < NONCE_BYTES + TAG_BYTES:
            raise ValueError("a sealed value is damaged")
        return sealed

    def __str__(self) -> str:
        return f"{SIGN}{self.key_id}.{b64encode(self.box).decode()}"

    @property
    def hidden_length(self) -> int:
        """The characters of what is sealed."""
        return len(self.box) - NONCE_BYTES - TAG_BYTES

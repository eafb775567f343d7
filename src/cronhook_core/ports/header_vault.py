from __future__ import annotations

from typing import Protocol


class HeaderVault(Protocol):
    """Makes values of secret headers unreadable before they are stored, and readable again when they are sent.

    Contract: what `seal` gives is text of the form of `domain.sealed_values`; the same value sealed twice gives two
    different texts. It opens only for the job and the header (in any case) that it was sealed for. Neither method does
    I/O. Both are fast enough for the event loop.
    """

    def seal(self, value: str, *, job_id: str, name: str) -> str: ...

    def open(self, sealed: str, *, job_id: str, name: str) -> str:
        """The value. Raises `UnreadableSecret` when another key sealed it, or it was changed, moved or damaged."""
        ...

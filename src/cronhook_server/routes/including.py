"""What lists leave out unless they are asked for it."""

from __future__ import annotations

from enum import StrEnum


class Include(StrEnum):
    PAYLOAD = "payload"

"""What an in-process server has sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class SentWebhook:
    """One request, and how it was answered.

    ``at`` is the server's time. ``status`` is None where no answer came; ``error`` then says why.
    """

    at: datetime
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None
    error: str | None

    @property
    def execution_id(self) -> str:
        """The same over all attempts of one execution."""
        return self.headers["webhook-id"]

    @property
    def job_id(self) -> str:
        return self.headers["cronhook-job-id"]

    @property
    def attempt(self) -> int:
        """From 1."""
        return int(self.headers["cronhook-attempt"])

    def json(self) -> Any:
        """The payload."""
        return json.loads(self.body)

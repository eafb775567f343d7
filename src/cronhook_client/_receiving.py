"""What the adapters for ASGI and WSGI have in common. Standard library only."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from cronhook_client.seen import Sighting
from cronhook_client.webhook_errors import WebhookVerificationError
from cronhook_client.webhooks import Delivery

DELIVERY = "cronhook.delivery"
MAX_BODY_BYTES = 1024 * 1024
MAX_RETRY_AFTER = 86_400
"""Seconds; cronhook waits no longer."""
UNDER_WAY_SECONDS = 120
"""Longer than any handler should take, and than cronhook waits for one (60 s at most)."""

_SLASHES = re.compile("//+")

_log = logging.getLogger("cronhook_client.webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that the application behind the adapter has no part in. ``text`` is shown in cronhook's log.

    ``retry_after`` is in seconds.
    """

    status: int
    text: str
    retry_after: int | None = None

    @property
    def headers(self) -> list[tuple[str, str]]:
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(self.body)))]
        return headers if self.retry_after is None else [*headers, ("retry-after", str(self.retry_after))]

    @property
    def body(self) -> bytes:
        return self.text.encode()


def seen_before(sighting: Sighting, under_way_seconds: int) -> Reply:
    """The answer to an execution that is not new.

    The process that handles it may have died. A try that came before that is known would be one of the job's delays for
    nothing, and it may have no other.
    """
    if sighting is Sighting.HANDLED:
        return Reply(status=200, text="this execution was handled before")
    text = "this execution is being handled by an earlier request"
    return Reply(status=503, text=text, retry_after=under_way_seconds)


def whole_seconds(seconds: float) -> int:
    """As ``retry-after`` has them, rounded up; ValueError for less than none."""
    if not 0 <= seconds <= MAX_RETRY_AFTER:
        raise ValueError(f"under_way_seconds is a number from 0 to {MAX_RETRY_AFTER}")
    return ceil(seconds)


def refused(error: WebhookVerificationError) -> Reply:
    _log.warning("refused a webhook: %s", error)
    return Reply(status=401, text=str(error))


def too_large(limit: int) -> Reply:
    return Reply(status=413, text=f"a webhook's body has at most {limit} bytes here")


class Paths:
    """The paths that webhooks come to, each with all below it; None: any path.

    Frameworks read a path in more than one way, and what is taken for another path here would reach them unverified.
    So slashes in a row count as one, and a path that fits with or without the prefix that the application is mounted
    under is one of these.
    """

    def __init__(self, paths: str | Iterable[str] | None) -> None:
        listed = None if paths is None else (paths,) if isinstance(paths, str) else tuple(paths)
        if listed == ():
            raise ValueError("there are no paths, so nothing would be verified; None stands for every path")
        if not all(path.startswith("/") for path in listed or ()):
            raise ValueError("the paths begin with a slash, such as /hooks")
        self._paths = None if listed is None else tuple(_plain(path).rstrip("/") for path in listed)

    def cover(self, prefix: str, path: str) -> bool:
        """``prefix`` is the one that the application is mounted under; servers put it before ``path``, or do not."""
        if self._paths is None:
            return True
        prefix, path = _plain(prefix).rstrip("/"), _plain(path)
        return any(map(self._covers, (path, path.removeprefix(prefix), prefix + path)))

    def _covers(self, path: str) -> bool:
        return any(path == known or path.startswith(f"{known}/") for known in self._paths or ())


def _plain(path: str) -> str:
    return _SLASHES.sub("/", path)


def delivery_in(state: Mapping[str, Any]) -> Delivery:
    delivery = state.get(DELIVERY)
    if not isinstance(delivery, Delivery):
        raise LookupError("this request was not verified: its path is not one of those that VerifyWebhooks was given")
    return delivery

"""An answer beside what it says."""

from __future__ import annotations

from typing import Generic, TypeVar

from attrs import frozen

from cronhook_client.exchange import Headers, HttpAnswer

T = TypeVar("T")


@frozen(kw_only=True)
class Response(Generic[T]):
    """``value`` is what the method itself would have returned, ``answer`` the one it was read from.

    ``retries`` counts the tries before the one that was answered.
    """

    value: T
    answer: HttpAnswer
    retries: int

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def headers(self) -> Headers:
        return self.answer.headers

    @property
    def request_id(self) -> str | None:
        """By this the server's log has the request."""
        return self.answer.request_id

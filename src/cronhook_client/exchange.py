"""One HTTP exchange as values, and what carries it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from attrs import field, frozen


class Headers(Mapping[str, str]):
    """Headers of an answer. Names are looked up in any case and iterated in lower case.

    A header that came more than once has its values joined by ``", "`` (RFC 9110, section 5.3).
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            name = name.lower()
            self._values[name] = f"{self._values[name]}, {value}" if name in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values!r})"


@frozen(kw_only=True)
class HttpRequest:
    """``url`` is complete.

    ``timeout`` in seconds bounds connecting, each wait for the next bytes, and the whole answer, which is given up at
    its next bytes when so much time has passed since it was asked for.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout: float


@frozen(kw_only=True)
class HttpAnswer:
    """``body`` is complete and decoded (``content-encoding`` undone)."""

    status: int
    headers: Headers = field(factory=Headers)
    body: bytes = field(default=b"", repr=False)

    @property
    def request_id(self) -> str | None:
        """The server's name for this request, by which its log has it; None where something else answered."""
        return self.headers.get("x-request-id")


class Transport(Protocol):
    """Carries requests, from any thread. A client takes another one for tests or for a way of its own to the server.

    `send` returns whatever was answered, redirects and errors included, or raises `ConnectionFailed`, and `ValueError`
    for a URL that cannot be sent. It neither follows redirects nor tries again. `close` lets connections go; a repeat
    does nothing.
    """

    def send(self, request: HttpRequest, /) -> HttpAnswer: ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """`Transport` for coroutines."""

    async def send(self, request: HttpRequest, /) -> HttpAnswer: ...

    async def close(self) -> None: ...

"""What a call is: data that says what to ask and how to read the answer. Nothing here does I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar
from urllib.parse import quote

from attrs import field, frozen

from cronhook_client.exchange import HttpAnswer

T = TypeVar("T")

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Repeat(Enum):
    """Whether a request whose fate is unknown may be sent again."""

    FREELY = "a repeat changes nothing"
    KEYED = "one idempotency key makes all tries one request"
    NEVER = "a repeat would do it twice"


@frozen(kw_only=True)
class Route(Generic[T]):
    """One route of the API. ``path`` has its parameters in braces, as the OpenAPI document does.

    ``status`` is the one of success; those in ``told_by`` carry the same kind of body. ``read`` takes the answer's
    body, and raises `InvalidRequest` or ValueError for what it is not.
    """

    method: str
    path: str
    read: Callable[[HttpAnswer], T]
    status: int = 200
    told_by: tuple[int, ...] = ()
    repeat: Repeat = Repeat.FREELY
    needs_key: bool = True

    def call(
        self,
        *identifiers: str,
        query: tuple[tuple[str, str], ...] = (),
        body: bytes | None = None,
        idempotency_key: str | None = None,
    ) -> Call[T]:
        """``identifiers`` are put into the path, in order. ValueError for one, or a key, that cannot be sent."""
        if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
            raise ValueError("an idempotency key is 1 to 255 visible ASCII characters")
        return Call(
            route=self,
            path=_filled(self.path, identifiers),
            query=query,
            body=body,
            idempotency_key=idempotency_key,
        )


@frozen(kw_only=True)
class Call(Generic[T]):
    """``idempotency_key`` None: where the route takes one, one is made for all tries."""

    route: Route[T]
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    idempotency_key: str | None = None


def _filled(path: str, identifiers: tuple[str, ...]) -> str:
    """No identifier can leave its segment: full stops are escaped; slashes, and an empty one, are refused.

    Servers read an escaped slash as a slash.
    """
    for identifier in identifiers:
        if not isinstance(identifier, str):
            raise TypeError(f"an id is a text, such as job.id, and not a {type(identifier).__name__}")
        if not identifier or "/" in identifier:
            raise ValueError(f"an id is not empty and has no slash in it, as {identifier[:80]!r} has")
        before, _, after = path.partition("{")
        path = before + quote(identifier, safe="").replace(".", "%2E") + after.partition("}")[2]
    return path

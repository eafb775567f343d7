"""Writing answers."""

from __future__ import annotations

from typing import Any

from litestar import Response

from cronhook_core.domain.idempotency import StoredAnswer
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.strict_json import render_json

JSON = "application/json"

AnyResponse = Response[Any]


def answer(model: object, *, status: int = 200, headers: dict[str, str] | None = None) -> StoredAnswer:
    """A model of the wire as JSON."""
    written = {"content-type": JSON} | (headers or {})
    return StoredAnswer(status=status, headers=tuple(written.items()), body=render_json(to_json(model)))


def respond(stored: StoredAnswer) -> AnyResponse:
    headers = dict(stored.headers)
    return Response(
        stored.body, status_code=stored.status, media_type=headers.pop("content-type", JSON), headers=headers
    )


def plain(body: bytes, content_type: str) -> AnyResponse:
    """An answer as it is. Litestar itself adds the charset of text."""
    return Response(body, media_type=content_type.removesuffix("; charset=utf-8"))


def respond_with(model: object, *, status: int = 200, headers: dict[str, str] | None = None) -> AnyResponse:
    return respond(answer(model, status=status, headers=headers))

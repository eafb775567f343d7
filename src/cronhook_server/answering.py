"""Writing answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
from attrs import fields, frozen, has
from litestar.types import Receive, Scope, Send

from cronhook_core.domain.idempotency import StoredAnswer
from cronhook_core.domain.job import Job
from cronhook_core.wire.converter import to_json
from cronhook_core.wire.not_included import NOT_INCLUDED
from cronhook_core.wire.strict_json import JsonText, render_json
from cronhook_core.wire.v1 import JobRead
from cronhook_server.bytes_under_way import HeldBytes
from cronhook_server.request_scope import HELD

JSON = "application/json"
PIECE_BYTES = 64 * 1024
"""Of a longer body each piece waits until the client has read most of those before."""
_fast = msgspec.json.Encoder()
_text = msgspec.json.Decoder(msgspec.Raw)


@frozen
class Answer:
    """An answer as it is, sent as an ASGI application: Litestar has nothing to make of it."""

    stored: StoredAnswer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self.stored.body
        held: HeldBytes = scope[HELD]  # type: ignore[literal-required]  # Litestar lists what it knows itself
        held.keep(len(body))  # what it was made from is free by now
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.stored.headers]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": self.stored.status, "headers": headers})
        if len(body) > PIECE_BYTES:
            for start in range(0, len(body), PIECE_BYTES):
                await send({"type": "http.response.body", "body": body[start : start + PIECE_BYTES], "more_body": True})
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": False})


def answer(model: object, *, status: int = 200, headers: dict[str, str] | None = None) -> StoredAnswer:
    """A model of the wire as JSON."""
    return StoredAnswer(status=status, headers=_with_type(headers), body=_encoded(model))


def job_answer(job: Job, *, status: int = 200, headers: dict[str, str] | None = None) -> StoredAnswer:
    """The job as JSON without its payload; `with_payload` completes it."""
    shown = JobRead.of(job)
    before, behind = (
        _encoded({name: _opened(getattr(shown, name)) for name in names})
        for names in (_BEFORE_PAYLOAD, _BEHIND_PAYLOAD)
    )
    head = before[:-1] + b',"payload":'
    return StoredAnswer(status=status, headers=_with_type(headers), body=head + b"," + behind[1:], payload_at=len(head))


def with_payload(stored: StoredAnswer, payload: bytes) -> StoredAnswer:
    """The whole answer, where it lacks the payload of its job; ``payload`` is that, as it is stored."""
    return stored if stored.payload_at is None else stored.with_payload(_encoded(JsonText(payload)))


def plain(body: bytes, content_type: str) -> Answer:
    return Answer(StoredAnswer(status=200, headers=(("content-type", content_type),), body=body))


def respond_with(model: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(answer(model, status=status, headers=headers))


def _with_type(headers: dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    return (("content-type", JSON), *(headers or {}).items())


def _encoded(model: object) -> bytes:
    """As `render_json` of the model's JSON value, in fewer steps."""
    try:
        return _fast.encode(_opened(model))
    except (
        TypeError,
        ValueError,
        OverflowError,
    ):  # a payload from a library's user, with a number of more than 64 bits
        return render_json(to_json(model))


def _opened(value: Any) -> Any:
    """The value with its models as objects whose fields have their order; the encoder has one of its own for them."""
    kind: Any = type(value)
    if names := _fields_of(kind):
        fields = ((name, getattr(value, name)) for name in names)
        return {name: _opened(field) for name, field in fields if field is not NOT_INCLUDED}
    if kind is tuple:
        return [_opened(item) for item in value]
    if kind is datetime:
        return value.astimezone(UTC)
    if kind is JsonText:  # a great payload of small parts, as objects of Python, would hold up everybody for long
        return _as_text(value)
    return value


def _as_text(text: JsonText) -> Any:
    """The text as it is; where a library's user stored what is not quite JSON, such as NaN, the value that it means."""
    try:
        text.decode()
        return _text.decode(text)
    except ValueError:
        return json.loads(text.decode("utf-8", "replace"))


@cache
def _fields_of(model: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(model)) if has(model) else ()


_JOB = _fields_of(JobRead)
_BEFORE_PAYLOAD, _BEHIND_PAYLOAD = _JOB[: _JOB.index("payload")], _JOB[_JOB.index("payload") + 1 :]

"""Reading requests: bodies, query strings and headers, each within its bounds."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from cronhook_core.domain.execution import Execution
from cronhook_core.domain.idempotency import IdempotentRequest, StoredAnswer
from cronhook_core.domain.job import Job
from cronhook_core.errors import InvalidRequest
from cronhook_core.wire.strict_json import parse_json
from cronhook_server.api_request import ApiRequest
from cronhook_server.problems import PayloadTooLarge, RequestTimeout, UnsupportedMediaType

MAX_BODY_BYTES = 16 * 1024
"""Of actions, previews, keys and whatever has no bound of its own."""
MAX_JOB_BODY_BYTES = 512 * 1024
BYTES_PER_BODY_BYTE = 4
"""About what a body and its decoded value take together, where it is one of a few large texts or many small values."""
DECODED_IN_THREAD_BYTES = 64 * 1024
"""A longer body is decoded beside the event loop."""
BODY_WITHIN_SECONDS = 10.0
MAX_QUERY_FIELDS = 20
MAX_QUERY_TEXT = 256

E = TypeVar("E", bound=StrEnum)

_DIGITS = re.compile(r"[0-9]{1,9}")
_JSON_TYPE = re.compile(r"application/json\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)
_IDEMPOTENCY_HEADER = b"idempotency-key"
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


async def read_body(request: ApiRequest, at_most: int) -> bytes:
    """The whole body, counted while it is received, within a time limit."""
    announced = _announced_length(request)
    if announced is None:
        announced = at_most
    elif announced > at_most:
        raise PayloadTooLarge(at_most)
    await request.hold(announced * BYTES_PER_BODY_BYTE)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_SECONDS):
            while True:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise InvalidRequest("the connection was closed before the whole body was there")
                body += message.get("body", b"")
                if len(body) > at_most:
                    raise PayloadTooLarge(at_most)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise RequestTimeout(BODY_WITHIN_SECONDS) from None


async def read_json_body(request: ApiRequest, *, at_most: int = MAX_BODY_BYTES) -> tuple[bytes, Any]:
    """A body that must be there and be JSON, of ``at_most`` so many bytes: its bytes, and what they say."""
    _check_media_type(request)
    body = await read_body(request, at_most)
    return body, await _decoded(request, body)


async def read_optional_json(request: ApiRequest) -> Any:
    """What the body says; an empty object where there is none."""
    body = await read_body(request, MAX_BODY_BYTES)
    if not body:
        return {}
    _check_media_type(request)
    return await _decoded(request, body)


async def _decoded(request: ApiRequest, body: bytes) -> Any:
    """In its key's turn: many bodies of one key may have come in together."""
    cpu, key_id = request.services.cpu, request.caller.id
    if len(body) > DECODED_IN_THREAD_BYTES:
        return await cpu.in_thread(key_id, parse_json, body)
    await cpu.turn(key_id)
    return parse_json(body)


async def read_action(request: ApiRequest, answer: Callable[[Any], StoredAnswer]) -> IdempotentRequest | None:
    """What a request asks for that has no fields: no query, and no body or ``{}``."""
    Query(request)
    if await read_optional_json(request) != {}:
        raise InvalidRequest("this takes no body, or an empty object")
    return idempotency_of(request, b"", answer)


def refuse_idempotency(request: ApiRequest) -> None:
    """Answers that hold secrets are never stored, and so cannot be given again."""
    if request.headers_named(_IDEMPOTENCY_HEADER):
        raise InvalidRequest("the header idempotency-key has no effect here, for the answer is a secret: leave it out")


def idempotency_of(request: ApiRequest, body: bytes, answer: Callable[[Any], StoredAnswer]) -> IdempotentRequest | None:
    """What the header ``idempotency-key`` asks for; None where there is none."""
    keys = request.headers_named(_IDEMPOTENCY_HEADER)
    if not keys:
        return None
    if len(keys) > 1 or not _IDEMPOTENCY_KEY.fullmatch(keys[0]):
        raise InvalidRequest("the header idempotency-key is 1 to 255 visible ASCII characters, given once")

    def render(effect: Job | Execution) -> StoredAnswer:
        return answer(effect)

    return IdempotentRequest(
        key=keys[0],
        path=_canonical(request.scope["path"]),
        fingerprint=hmac.digest(request.services.fingerprint_key, body, "sha256"),
        answer=render,
        max_records=request.services.settings.max_idempotency_records_per_workspace,
    )


def _canonical(path: str) -> str:
    """One spelling for what the router takes for one path."""
    return "/" + "/".join(part for part in path.split("/") if part)


class Query:
    """The query string of a request. Fields that the route does not know, and repeated ones, are refused."""

    def __init__(self, request: ApiRequest, *known: str) -> None:
        fields = _parse(request.scope["query_string"])
        for name, _ in fields:
            if name not in known:
                raise InvalidRequest(f"there is no query parameter {name[:40]!r} here")
        self._values = dict(fields)
        if len(self._values) < len(fields):
            raise InvalidRequest("a query parameter is given more than once")

    def number(self, name: str, default: int, *, lowest: int, highest: int) -> int:
        written = self._values.get(name)
        if written is None:
            return default
        if not _DIGITS.fullmatch(written) or not lowest <= int(written) <= highest:
            raise InvalidRequest(f"the query parameter {name} is a whole number from {lowest} to {highest}")
        return int(written)

    def word(self, name: str, words: type[E]) -> E | None:
        written = self._values.get(name)
        try:
            return None if written is None else words(written)
        except ValueError:
            raise InvalidRequest(f"the query parameter {name} is one of {', '.join(words)}") from None

    def text(self, name: str) -> str | None:
        written = self._values.get(name)
        if written is not None and not (1 <= len(written) <= MAX_QUERY_TEXT and "\0" not in written):
            raise InvalidRequest(f"the query parameter {name} has 1 to {MAX_QUERY_TEXT} characters, none of them NUL")
        return written


def _parse(query_string: bytes) -> list[tuple[str, str]]:
    if not query_string:
        return []
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
        )
    except ValueError:
        raise InvalidRequest("the query string is not valid") from None


def _announced_length(request: ApiRequest) -> int | None:
    """0 where there is no body; None where its length is not told."""
    if request.headers_named(b"transfer-encoding"):
        return None
    written = next(iter(request.headers_named(b"content-length")), "")
    return int(written) if written.isascii() and written.isdigit() and len(written) < 20 else 0


def _check_media_type(request: ApiRequest) -> None:
    if not _JSON_TYPE.fullmatch(next(iter(request.headers_named(b"content-type")), "").strip()):
        raise UnsupportedMediaType("send the body as content-type: application/json, in UTF-8")
    if next(iter(request.headers_named(b"content-encoding")), "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without content-encoding")

"""The helpers for tests as a user's tests have them. Never run: a strict type check reads it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import assert_type

from fastapi import FastAPI
from flask import Flask
from litestar import Litestar

from cronhook_client import AsyncCronhook, Cronhook
from cronhook_server.testing import (
    API_KEY,
    BASE_URL,
    SIGNING_SECRET,
    AsyncInProcessServer,
    InProcessServer,
    SentWebhook,
    SignedRequest,
    signed_request,
)

URL = "https://app.example/hook"


def plain(body: bytes, headers: dict[str, str]) -> int:
    return 204 if body else 500


def saying_nothing(body: bytes, headers: dict[str, str]) -> None: ...


async def coroutine(body: bytes, headers: dict[str, str]) -> int | None:
    return None if headers else 500


def mounting(server: InProcessServer | AsyncInProcessServer) -> None:
    server.mount(URL, plain)
    server.mount(URL, saying_nothing)
    server.mount(URL, coroutine)
    server.mount_asgi(URL, FastAPI())
    server.mount_asgi(URL, Litestar())
    server.mount_wsgi(URL, Flask("receiver"))
    server.mount(URL, lambda body: None)  # type: ignore[arg-type, misc]
    assert_type(server.now, datetime)
    assert_type(server.sent, Sequence[SentWebhook])


def waiting(cronhook_server: InProcessServer) -> None:
    assert_type(cronhook_server.client, Cronhook)
    for sent in cronhook_server.advance(hours=3):
        assert_type(sent, SentWebhook)
        assert_type(sent.status, int | None)
    cronhook_server.advance_to(datetime(2030, 1, 1, tzinfo=UTC))
    cronhook_server.advance(3)  # type: ignore[call-arg]
    Cronhook(API_KEY, base_url=BASE_URL, transport=cronhook_server.transport)
    with InProcessServer(start=datetime.now(UTC), raise_errors=False) as server:
        assert_type(server, InProcessServer)


async def awaiting(cronhook_async_server: AsyncInProcessServer) -> None:
    assert_type(cronhook_async_server.client, AsyncCronhook)
    assert_type(await cronhook_async_server.advance(days=1), Sequence[SentWebhook])
    AsyncCronhook(API_KEY, transport=cronhook_async_server.transport)


def signing(cronhook_signed_request: Callable[..., SignedRequest]) -> None:
    request = signed_request({"a": 1}, secret=SIGNING_SECRET, attempt=2)
    assert_type(request.body, bytes)
    assert_type(request, SignedRequest)

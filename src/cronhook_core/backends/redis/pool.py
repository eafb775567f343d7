"""The connections of redis-py, as cronhook wants them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import lru_cache
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from cronhook_core.backends.redis.losses import is_loss
from cronhook_core.backends.redis.patience import ANSWER_WITHIN, CLOSE_WITHIN

CONNECT_WITHIN = ANSWER_WITHIN
MAX_CONNECTIONS = 64
PACKED = 16
"""Commands of `Pool.ask` that are kept as they go out: most are given again and again."""
_OBJECTS = {"credential_provider", "event_dispatcher", "parser_class", "redis_connect_func", "socket_keepalive_options"}
"""Options that take an object of Python, and no text."""


def options_of(url: str) -> dict[str, Any]:
    """The options of every connection; ``ValueError`` for a URL that can never work.

    The URL's own options win, except where cronhook depends on them: answers are bytes in RESP2, there is no time limit
    but that of each call, and nothing is tried again in secret.
    """
    options: dict[str, Any] = {
        "client_name": "cronhook",
        "max_connections": MAX_CONNECTIONS,
        "socket_connect_timeout": CONNECT_WITHIN,
        **_parsed(url),
        "decode_responses": False,
        "driver_info": None,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "timeout": None,
    }
    try:
        if "a".encode(options.get("encoding", "utf-8")) != b"a":
            raise LookupError(f"encoding {options['encoding']} is none that Redis speaks")
        Pool(options).new_connection()
    except (TypeError, LookupError, AttributeError, RedisError) as error:
        raise ValueError(f"an option of the Redis URL is wrong or unknown: {error}") from error
    return options


def _parsed(url: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(parse_url(url))
    objects = _OBJECTS & options.keys()
    if objects:
        raise ValueError(f"an option of the Redis URL cannot be written there: {', '.join(sorted(objects))}")
    return options


class Pool:
    """Connections that calls share: a call is an ``async with``. Once retired, it is closed after its last call."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._pool = BlockingConnectionPool(**options)
        self.redis = Redis(connection_pool=self._pool)
        self._own = self.new_connection()
        self._pack = lru_cache(PACKED)(self._own.pack_command)
        self._asking = asyncio.Lock()
        self._closed = False
        self._calls = 0
        self._unused = asyncio.Event()
        self._unused.set()

    async def __aenter__(self) -> Pool:
        self._calls += 1
        self._unused.clear()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._calls -= 1
        if self._calls == 0:
            self._unused.set()

    async def ask(self, *command: str | int) -> Any:
        """The answer to one command, on a connection for these alone, so one after the other.

        They leave out the client and its pool, which take four times as long. Where a connection that stood before is
        lost, the command is given once more on a new one: a repeat must do no harm.
        """
        packed = self._pack(*command)
        async with self._asking:
            was_connected = self._own.is_connected
            try:
                return await self._answer(packed)
            except Exception as failure:
                if not was_connected or isinstance(failure, ResponseError) or not is_loss(failure):
                    raise
            return await self._answer(packed)

    async def _answer(self, packed: Any) -> Any:
        if self._closed:
            raise RedisConnectionError("the connection was closed")
        await self._own.send_packed_command(packed)
        return await self._own.read_response()

    def new_connection(self) -> AbstractConnection:
        """A connection outside the pool, not connected yet."""
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return connection

    async def retire(self) -> None:
        """Close all connections once no call is under way; there must be no later ones."""
        await self._unused.wait()
        await self.close()

    async def close(self) -> None:
        """Close all connections, those of calls under way as well."""
        self._closed = True
        for closing in (self._own.disconnect(nowait=True), self._pool.aclose()):
            with suppress(RedisError, OSError):
                async with asyncio.timeout(CLOSE_WITHIN):
                    await closing

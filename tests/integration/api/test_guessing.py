"""Guessing keys costs; a valid key from the same address never notices."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from cronhook_core.domain.api_key import Scope, key_from_bits
from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.composition import Backends, open_backends
from cronhook_server.settings import Settings
from tests.integration.api.conftest import RANDOM, SECRET_KEY, Api, memory_backends
from tests.services import ValkeyServer

BURST = 10
PEER = "127.0.0.1"

Client = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


async def test_a_thousand_guesses_under_changing_names(api: Api) -> None:
    began, statuses = time.monotonic(), []
    for n in range(1000):
        headers = {"x-api-key": key_from_bits(n), "x-forwarded-for": f"198.51.{n // 250}.{n % 250}"}
        refused = await api.http.get("/v1/jobs", headers=headers)
        statuses.append(refused.status_code)
        if n % 100 == 99:
            assert (await api.http.get("/v1/jobs")).status_code == 200
    earned = (time.monotonic() - began) / 60 * BURST
    assert statuses[:BURST] == [401] * BURST
    assert Counter(statuses).keys() == {401, 429}
    assert Counter(statuses)[401] <= BURST + earned + 1
    assert 1 <= int(refused.headers["retry-after"]) <= 60


@asynccontextmanager
async def serving(backends: Backends, settings: Settings) -> AsyncIterator[tuple[Client, str]]:
    """A client of the API for each peer address, and the text of a valid key."""
    assembly = Assembly(backends, settings, secret_key=SECRET_KEY, hooks=NoHooks(), random=RANDOM)
    keys = assembly.keys()
    workspace = await keys.workspace("default")
    _, text = await keys.create(workspace.id, name="tests", scopes=tuple(Scope))
    app: Any = create_app(assembly.services())

    def client(peer: str = PEER) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(peer, 1)), base_url="http://api")

    yield client, text


async def guess(http: httpx.AsyncClient, **headers: str) -> int:
    return (await http.get("/v1/jobs", headers={"x-api-key": key_from_bits(1)} | headers)).status_code


class TestTrustedProxies:
    async def test_clients_behind_a_trusted_proxy_are_told_apart(self) -> None:
        settings = Settings(trusted_proxies=(ip_network("127.0.0.0/8"),))
        async with memory_backends() as backends, serving(backends, settings) as (client, _), client() as http:
            for client_address in ("198.51.100.1", "198.51.100.2"):
                forwarded = {"x-forwarded-for": f"203.0.113.9, {client_address}, 127.0.0.2"}
                guesses = [await guess(http, **forwarded) for _ in range(BURST + 1)]
                assert guesses == [401] * BURST + [429]
            made_up = {"x-forwarded-for": "203.0.113.77, 198.51.100.1"}
            assert await guess(http, **made_up) == 429

    async def test_a_stranger_who_names_another_is_who_he_is(self) -> None:
        settings = Settings(trusted_proxies=(ip_network("127.0.0.0/8"),))
        async with memory_backends() as backends, serving(backends, settings) as (client, _):
            async with client("198.51.100.1") as http:
                guesses = [await guess(http, **{"x-forwarded-for": f"203.0.113.{n}"}) for n in range(BURST + 1)]
            assert guesses == [401] * BURST + [429]
            async with client("198.51.100.2") as http:
                assert await guess(http) == 401


class TestRedis:
    async def test_nodes_count_together_and_each_for_itself_while_redis_is_away(self, postgres_url: str) -> None:
        with ValkeyServer() as valkey:
            settings = Settings(database_url=postgres_url, redis_url=valkey.url)
            async with AsyncExitStack() as stack:
                nodes = [await stack.enter_async_context(open_backends(settings, RANDOM)) for _ in range(2)]
                (client, key), (other_client, _) = [
                    await stack.enter_async_context(serving(node, settings)) for node in nodes
                ]
                http, other = [await stack.enter_async_context(made()) for made in (client, other_client)]
                assert [await guess(http) for _ in range(BURST)] == [401] * BURST
                assert await guess(other) == 429
                valkey.kill()
                assert await guess(other) == 401
                assert [await guess(other) for _ in range(BURST)][-1] == 429
                assert (await other.get("/v1/jobs", headers={"x-api-key": key})).status_code == 200


@pytest.mark.parametrize("peer", ["2001:db8::1", "2001:db8::ffff:2"])
async def test_an_ipv6_network_is_one_client(peer: str) -> None:
    async with memory_backends() as backends, serving(backends, Settings()) as (client, _):
        async with client("2001:db8::9") as http:
            assert [await guess(http) for _ in range(BURST)] == [401] * BURST
        async with client(peer) as http:
            assert await guess(http) == 429
        async with client("2001:db8:0:1::1") as http:
            assert await guess(http) == 401

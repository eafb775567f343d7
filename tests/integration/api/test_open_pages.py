"""Pages that need no key can be moved to another port or switched off."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from cronhook_core.ports.engine_hooks import NoHooks
from cronhook_server import metrics_port
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.metrics_port import serve_beside_api
from cronhook_server.settings import MetricsPlace, Settings, Switch
from tests.canaries import SECRET_KEY
from tests.integration.api.conftest import RANDOM, memory_backends


async def statuses(settings: Settings, *paths: str) -> list[int]:
    async with memory_backends() as backends:
        assembly = Assembly(backends, settings, secret_key=SECRET_KEY, hooks=NoHooks(), random=RANDOM)
        app: Any = create_app(assembly.services())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
            return [(await http.get(path)).status_code for path in paths]


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        (Settings(), [200, 200, 200, 200]),
        (Settings(metrics=MetricsPlace.PORT), [404, 200, 200, 200]),
        (Settings(metrics=MetricsPlace.OFF), [404, 200, 200, 200]),
        (Settings(docs=Switch.OFF), [200, 404, 404, 404]),
    ],
)
async def test_what_the_port_of_the_api_shows(settings: Settings, shown: list[int]) -> None:
    assert await statuses(settings, "/metrics", "/docs", "/docs/errors", "/openapi.json") == shown


@pytest.mark.parametrize(("place", "served"), [("port", [200, 200]), ("api", None), ("off", None)])
async def test_a_process_with_an_api_serves_metrics_elsewhere_where_it_is_told_to(
    place: str, served: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(metrics=MetricsPlace(place))
    addresses: list[str] = []
    address_of = metrics_port.address_of
    monkeypatch.setattr(metrics_port, "address_of", lambda s: addresses.append(address_of(s)) or addresses[-1])
    async with memory_backends() as backends, AsyncExitStack() as stack:
        assembly = Assembly(backends, settings, secret_key=SECRET_KEY, hooks=NoHooks(), random=RANDOM)
        serve_beside_api(stack, settings, assembly.metrics(CollectorRegistry()))
        if served is None:
            assert addresses == []
        else:
            async with httpx.AsyncClient(base_url=addresses[0]) as http:
                answered = [await http.get("/livez"), await http.get("/metrics")]
            assert [one.status_code for one in answered] == served
            assert "cronhook_queue_depth" in answered[1].text

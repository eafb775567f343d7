"""The server's own state, for coroutines."""

from __future__ import annotations

from typing import Any

from cronhook_client import _calls
from cronhook_client.async_resources.resource import AsyncResource
from cronhook_core.wire.v1 import Health as HealthRead


class AsyncHealth(AsyncResource):
    """What the server says of itself. The API key is not sent."""

    async def check(self) -> HealthRead:
        """Whether database and Redis answer, each with its latency. ``status`` says ``failing`` where one does not."""
        return await self._send(_calls.health())

    async def live(self) -> HealthRead:
        """Whether the process answers at all; no dependency is asked."""
        return await self._send(_calls.live())

    async def ready(self) -> HealthRead:
        """Whether it can do its work: ``failing`` without the database, ``degraded`` without Redis."""
        return await self._send(_calls.ready())

    async def metrics(self) -> str:
        """The metrics, as the text that Prometheus reads."""
        return await self._send(_calls.metrics())

    async def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the API."""
        return await self._send(_calls.openapi())

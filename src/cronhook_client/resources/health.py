"""The server's own state."""

from __future__ import annotations

from typing import Any

from cronhook_client import _calls
from cronhook_client.resources.resource import Resource
from cronhook_core.wire.v1 import Health as HealthRead


class Health(Resource):
    """What the server says of itself. The API key is not sent."""

    def check(self) -> HealthRead:
        """Whether database and Redis answer, each with its latency. ``status`` says ``failing`` where one does not."""
        return self._send(_calls.health())

    def live(self) -> HealthRead:
        """Whether the process answers at all; no dependency is asked."""
        return self._send(_calls.live())

    def ready(self) -> HealthRead:
        """Whether it can do its work: ``failing`` without the database, ``degraded`` without Redis."""
        return self._send(_calls.ready())

    def metrics(self) -> str:
        """The metrics, as the text that Prometheus reads."""
        return self._send(_calls.metrics())

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the API."""
        return self._send(_calls.openapi())

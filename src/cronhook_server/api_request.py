"""A request as the routes see it."""

from __future__ import annotations

from typing import Any

from litestar import Request

from cronhook_core.domain.api_key import ApiKey
from cronhook_server.services import Services


class ApiRequest(Request[Any, Any, Any]):
    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    @property
    def caller(self) -> ApiKey:
        """The key that a guarded route was called with."""
        caller: ApiKey = self.state.caller
        return caller

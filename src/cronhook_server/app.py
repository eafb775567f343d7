"""The HTTP API as an ASGI application."""

from __future__ import annotations

from litestar import Litestar
from litestar.datastructures import State

from cronhook_server.api_request import ApiRequest
from cronhook_server.problems import exception_handlers
from cronhook_server.request_scope import AsgiApp, RequestScope
from cronhook_server.routes.health import HEALTH_ROUTES
from cronhook_server.routes.jobs import JobRoutes
from cronhook_server.routes.logs import LOG_ROUTES
from cronhook_server.services import Services


def create_app(services: Services) -> AsgiApp:
    """The application over services that are already open; it neither opens nor closes anything."""
    app = Litestar(
        route_handlers=[*HEALTH_ROUTES, JobRoutes, *LOG_ROUTES],
        state=State({"services": services}),
        request_class=ApiRequest,
        exception_handlers=exception_handlers(),
        request_max_body_size=None,  # bodies are counted where they are read
        logging_config=None,
        openapi_config=None,
    )
    return RequestScope(app)  # type: ignore[arg-type]  # Litestar has its own types for ASGI's

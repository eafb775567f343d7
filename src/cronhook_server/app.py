"""The HTTP API as an ASGI application."""

from __future__ import annotations

from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.routes import HTTPRoute

from cronhook_server.admission import admit
from cronhook_server.api_request import ApiRequest
from cronhook_server.bytes_under_way import ByteMeter
from cronhook_server.cpu_budgets import CpuMeter
from cronhook_server.problems import exception_handlers
from cronhook_server.request_scope import AsgiApp, RequestScope
from cronhook_server.routes.docs import DOCS_ROUTES
from cronhook_server.routes.executions import ExecutionRoutes, list_executions
from cronhook_server.routes.health import HEALTH_ROUTES
from cronhook_server.routes.jobs import JobRoutes
from cronhook_server.routes.keys import KeyRoutes
from cronhook_server.routes.logs import LOG_ROUTES
from cronhook_server.routes.metrics import metrics
from cronhook_server.routes.schedules import SCHEDULE_ROUTES
from cronhook_server.routes.workspace import WorkspaceRoutes
from cronhook_server.services import Services
from cronhook_server.settings import MetricsPlace, Switch


def create_app(services: Services, *, log_requests: bool = True) -> AsgiApp:
    """The application over services that are already open; it neither opens nor closes anything."""
    settings = services.settings
    app = Litestar(
        route_handlers=[
            *HEALTH_ROUTES,
            *([metrics] if settings.metrics is MetricsPlace.API else []),
            *(DOCS_ROUTES if settings.docs is Switch.ON else ()),
            JobRoutes,
            *LOG_ROUTES,
            list_executions,
            ExecutionRoutes,
            *SCHEDULE_ROUTES,
            KeyRoutes,
            WorkspaceRoutes,
        ],
        state=State({"services": services}),
        request_class=ApiRequest,
        before_request=_before,  # type: ignore[arg-type]  # every request is an `ApiRequest`
        exception_handlers=exception_handlers(),
        request_max_body_size=None,  # bodies are counted where they are read
        logging_config=None,
        openapi_config=None,
    )
    asgi: AsgiApp = app  # type: ignore[assignment]  # Litestar has its own types for ASGI's
    return RequestScope(
        CpuMeter(ByteMeter(asgi, services.bytes_under_way), services.cpu), services.requests, log_requests=log_requests
    )


async def _before(request: ApiRequest) -> Response[None] | None:
    """The answer to OPTIONS, which asks for no key; None for what is admitted to its route."""
    if request.method == "OPTIONS":
        return _methods_of_path(request)
    await admit(request)
    return None


def _methods_of_path(request: ApiRequest) -> Response[None]:
    """Litestar's own answer forgets the methods of all handlers of a path but the first."""
    template = request.scope["path_template"]
    route = next(
        route for route in request.app.routes if isinstance(route, HTTPRoute) and route.path_format == template
    )
    return Response(None, status_code=204, headers={"allow": ", ".join(sorted(route.methods))})

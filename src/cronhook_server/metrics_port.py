"""Metrics and ``/livez`` on a port of their own."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack, closing

import structlog

from cronhook_server.connections import ConnectionBounds
from cronhook_server.metrics_page import CONTENT_TYPE, MetricsPage
from cronhook_server.pages import LIVE, Page, Pages
from cronhook_server.process import HttpServer, address_of, listen
from cronhook_server.settings import MetricsPlace, Settings

_BOUNDS = ConnectionBounds(total=64, per_client=64)
"""Of what is served beside the API, whose bounds do not count these connections."""

_log = structlog.get_logger("cronhook")


def listen_for_metrics(settings: Settings) -> socket.socket:
    """A socket on ``CRONHOOK_METRICS_PORT``. Raises as `listen` does."""
    return listen(settings.host, settings.metrics_port, variable="CRONHOOK_METRICS_PORT")


def metrics_pages(settings: Settings, metrics: MetricsPage) -> Pages:
    """What is served on the port of metrics."""
    pages = {"/livez": LIVE}
    if settings.metrics is not MetricsPlace.OFF:
        pages["/metrics"] = Page(content_type=CONTENT_TYPE, body=metrics.render)
    return Pages(pages)


def serve_beside_api(stack: AsyncExitStack, settings: Settings, metrics: MetricsPage) -> None:
    """Serve the port of metrics in a process whose API does not show them, until the stack is closed."""
    if settings.metrics is not MetricsPlace.PORT:
        return
    listening = stack.enter_context(closing(listen_for_metrics(settings)))
    pages = metrics_pages(settings, metrics)
    server = HttpServer(pages, listening, drain_timeout=settings.drain_timeout, bounds=_BOUNDS)
    stack.push_async_callback(server.stop)
    server.start(lambda: None)
    _log.info("listening", role="metrics", address=address_of(listening))

"""One part of the server in a process of its own: API, scheduler or worker."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing, suppress
from random import Random, SystemRandom
from typing import Protocol

import structlog
from attrs import frozen
from prometheus_client import CollectorRegistry

from cronhook_core.errors import ConfigurationError, NotAdmitted, StoreBusy, StoreUnavailable
from cronhook_server.all_hooks import AllHooks
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.composition import CLOCK_LOOKED_AT_EVERY, Backends, open_backends, open_sender, secret_key_of
from cronhook_server.logging_hooks import LoggingHooks
from cronhook_server.logs import log_at_start
from cronhook_server.metrics_page import MetricsPage
from cronhook_server.metrics_port import listen_for_metrics, metrics_pages, serve_beside_api
from cronhook_server.pages import WAITING, Front, Pages
from cronhook_server.process import (
    HttpServer,
    Signals,
    address_of,
    connection_bounds,
    listen,
    open_files_warnings,
    spare_garbage_collector,
)
from cronhook_server.prometheus import PrometheusHooks
from cronhook_server.settings import Settings

DATABASE_TRIED_EVERY = 0.5

_log = structlog.get_logger("cronhook")


class Part(Protocol):
    """What a daemon runs."""

    def start(self) -> None: ...

    async def stop(self, *, at_once: bool = False) -> None: ...


@frozen(kw_only=True)
class Ready:
    """What a daemon is made of, once the database is there. ``stack`` closes what is opened for it."""

    settings: Settings
    assembly: Assembly
    metrics: MetricsPage
    front: Front
    stack: AsyncExitStack


Begin = Callable[[Ready], Awaitable[Part]]


async def run_api(settings: Settings) -> None:
    """Serve the API until a signal asks to stop."""
    await _run("api", listen(settings.host, settings.port), settings, _begin_api)


async def run_scheduler(settings: Settings) -> None:
    """Plan until a signal asks to stop; the lead is then given back at once."""
    await _run("scheduler", listen_for_metrics(settings), settings, _begin_scheduler)


async def run_worker(settings: Settings) -> None:
    """Send webhooks until a signal asks to stop; those under way may then end within the drain time."""
    await _run("worker", listen_for_metrics(settings), settings, _begin_worker)


async def _begin_api(ready: Ready) -> Part:
    serve_beside_api(ready.stack, ready.settings, ready.metrics)
    return _Api(ready.front, ready.assembly, ready.metrics)


async def _begin_scheduler(ready: Ready) -> Part:
    _show_metrics(ready)
    return ready.assembly.scheduler()


async def _begin_worker(ready: Ready) -> Part:
    _show_metrics(ready)
    worker = ready.assembly.worker(await ready.stack.enter_async_context(open_sender(ready.settings)))
    ready.metrics.show_sends(lambda: worker.sends_in_flight, ready.settings.worker_concurrency)
    return worker


def _show_metrics(ready: Ready) -> None:
    ready.front.app = metrics_pages(ready.settings, ready.metrics)


class _Api:
    def __init__(self, front: Front, assembly: Assembly, metrics: MetricsPage) -> None:
        self._front = front
        self._assembly = assembly
        self._metrics = metrics

    def start(self) -> None:
        self._front.app = create_app(self._assembly.services(self._metrics))

    async def stop(self, *, at_once: bool = False) -> None:
        """Its requests are the server's to end."""


async def _run(name: str, listening: socket.socket, settings: Settings, begin: Begin) -> None:
    """Run until a signal asks to stop; the second one ends at once.

    A database that is away is waited for; its schema must be there (`SchemaMismatch`). Redis may be away.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(closing(listening))
        secret_key = secret_key_of(settings)
        signals = stack.enter_context(Signals())
        front = Front(Pages(WAITING, otherwise="unavailable"))
        bounds = connection_bounds(settings.worker_concurrency if name == "worker" else 0, settings.trusted_proxies)
        server = HttpServer(front, listening, drain_timeout=settings.drain_timeout, bounds=bounds)
        stack.push_async_callback(server.stop)
        server.start(signals.stop.set)
        _log.info("listening", role=name, address=address_of(listening))
        random = SystemRandom()
        backends = await _backends_when_there(stack, settings, secret_key, random, signals)
        if backends is not None and await _clock_is_believed(backends, signals):
            part = await begin(_ready(settings, backends, secret_key, random, front, stack))
            await _serve(name, part, server, signals)


async def _serve(name: str, part: Part, server: HttpServer, signals: Signals) -> None:
    part.start()
    spare_garbage_collector()
    _log.info("started", role=name)
    await signals.stop.wait()
    _log.info("stopping", role=name)
    await signals.finish(_end(part, server), lambda: asyncio.gather(server.stop(at_once=True), part.stop(at_once=True)))
    _log.info("stopped", role=name)


async def _end(part: Part, server: HttpServer) -> None:
    """Probes and metrics are answered as long as there is something to tell."""
    await part.stop()
    await server.stop()


def _ready(
    settings: Settings, backends: Backends, secret_key: str, random: Random, front: Front, stack: AsyncExitStack
) -> Ready:
    warnings = (*settings.warnings, *backends.warnings, *open_files_warnings(settings.worker_concurrency))
    log_at_start(_log, warnings, allowed=settings.allowed_targets, denied=settings.denied_targets)
    registry = CollectorRegistry()
    hooks = AllHooks(LoggingHooks(carrier=settings.carrier), PrometheusHooks(registry))
    assembly = Assembly(backends, settings, secret_key=secret_key, hooks=hooks, random=random)
    return Ready(
        settings=settings,
        assembly=assembly,
        metrics=assembly.metrics(registry),
        front=front,
        stack=stack,
    )


async def _backends_when_there(
    stack: AsyncExitStack, settings: Settings, secret_key: str, random: Random, signals: Signals
) -> Backends | None:
    """Wait for a database that is away or busy; None when a signal came first. A wrong URL is not waited for."""
    reason = None
    while not signals.stop.is_set():
        try:
            backends = await stack.enter_async_context(open_backends(settings, random, secret_key=secret_key))
        except NotAdmitted as error:
            raise ConfigurationError("CRONHOOK_DATABASE_URL", str(error)) from error
        except StoreBusy as error:
            _log.warning("database_busy", reason=str(error))
        except StoreUnavailable as error:
            if reason is None:
                reason = str(error)
                _log.warning("dependency_away", name="database", reason=reason)
        else:
            if reason is not None:
                _log.info("dependency_back", name="database")
            return backends
        with suppress(TimeoutError):
            await asyncio.wait_for(signals.stop.wait(), DATABASE_TRIED_EVERY)
    return None


async def _clock_is_believed(backends: Backends, signals: Signals) -> bool:
    """Wait until the database's clock is believed; False: a signal came first.

    It may be wrong, or this machine's: starting a minute late does less harm than planning by the wrong one.
    """
    while backends.doubts_clock and not signals.stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(signals.stop.wait(), CLOCK_LOOKED_AT_EVERY)
    return not signals.stop.is_set()

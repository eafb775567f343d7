"""API, scheduler and worker in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, closing
from random import SystemRandom
from typing import Any

import structlog
from attrs import field, frozen
from prometheus_client import CollectorRegistry

from cronhook_core.domain.api_key import Scope
from cronhook_server.all_hooks import AllHooks
from cronhook_server.app import create_app
from cronhook_server.assembly import Assembly
from cronhook_server.composition import CLOCK_LOOKED_AT_EVERY, Backends, open_backends, open_sender, secret_key_of
from cronhook_server.key_service import KeyService
from cronhook_server.logging_hooks import LoggingHooks
from cronhook_server.logs import log_at_start
from cronhook_server.metrics_port import serve_beside_api
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

WORKSPACE_NAME = "default"
FIRST_KEY_NAME = "first key"

_log = structlog.get_logger("cronhook")


@frozen(kw_only=True)
class Started:
    """``first_key`` is the text of the key that was made because the workspace had none; None otherwise."""

    address: str
    first_key: str | None = field(repr=False)


async def run_all_in_one(
    settings: Settings, on_started: Callable[[Started], None], *, make_first_key: bool = True
) -> None:
    """Run until a signal asks to stop; a second one ends the process at once.

    ``on_started`` is called when the address accepts connections. Without ``make_first_key`` a new workspace gets none.
    """
    random = SystemRandom()
    async with AsyncExitStack() as stack:
        listening = stack.enter_context(closing(listen(settings.host, settings.port)))
        secret_key = secret_key_of(settings)
        backends = await stack.enter_async_context(open_backends(settings, random, secret_key=secret_key))
        await _until_clock_is_believed(backends)
        warnings = (*settings.warnings, *backends.warnings, *open_files_warnings(settings.worker_concurrency))
        log_at_start(_log, warnings, allowed=settings.allowed_targets, denied=settings.denied_targets)
        sender = await stack.enter_async_context(open_sender(settings))
        registry = CollectorRegistry()
        hooks = AllHooks(LoggingHooks(carrier=settings.carrier), PrometheusHooks(registry))
        assembly = Assembly(backends, settings, secret_key=secret_key, hooks=hooks, random=random)
        metrics = assembly.metrics(registry)
        app = create_app(assembly.services(metrics))
        scheduler, worker = assembly.scheduler(), assembly.worker(sender)
        serve_beside_api(stack, settings, metrics)
        metrics.show_sends(lambda: worker.sends_in_flight, settings.worker_concurrency)
        bounds = connection_bounds(settings.worker_concurrency, settings.trusted_proxies)
        server = HttpServer(app, listening, drain_timeout=settings.drain_timeout, bounds=bounds)
        first_key = await _first_key(assembly.keys()) if make_first_key else None
        with Signals() as signals:
            on_started(Started(address=address_of(listening), first_key=first_key))
            worker.start()
            scheduler.start()
            server.start(signals.stop.set)
            spare_garbage_collector()
            await signals.stop.wait()
            _log.info("stopping", sends_in_flight=worker.sends_in_flight)
            await signals.finish(
                _all_of(server.stop(), worker.stop(), scheduler.stop()),
                lambda: _all_of(*(part.stop(at_once=True) for part in (server, worker, scheduler))),
            )


async def _until_clock_is_believed(backends: Backends) -> None:
    while backends.doubts_clock:
        await backends.clock.sleep(CLOCK_LOOKED_AT_EVERY)


async def _all_of(*endings: Coroutine[Any, Any, None]) -> None:
    """Waits for all of them also where one fails: nothing may be closed under what still runs."""
    for failed in await asyncio.gather(*endings, return_exceptions=True):
        if isinstance(failed, BaseException):
            raise failed


async def _first_key(keys: KeyService) -> str | None:
    workspace = await keys.workspace(WORKSPACE_NAME)
    if await keys.list(workspace.id):
        return None
    _, text = await keys.create(workspace.id, name=FIRST_KEY_NAME, scopes=tuple(Scope))
    return text

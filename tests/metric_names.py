"""The metrics of every kind of process, as they are shown."""

import asyncio
from datetime import timedelta
from functools import cache
from random import Random

from attrs import evolve
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from cronhook_core.testing.builders import NOW
from cronhook_core.testing.manual_clock import ManualClock
from cronhook_server.assembly import Assembly
from cronhook_server.checks import Probe
from cronhook_server.composition import memory_backends
from cronhook_server.prometheus import PrometheusHooks
from cronhook_server.settings import Settings

Labels = frozenset[str]


@cache
def shown_metrics() -> dict[str, tuple[str, Labels]]:
    """The type and the labels of each metric, by the name under which it is queried.

    Of a process that has everything: API, scheduler and worker on Postgres and Redis.
    """
    page = asyncio.run(_page())
    families = list(text_string_to_metric_families(page))
    return {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
        )
        for family in families
        if not family.name.endswith("_created")
    }


def every_metric() -> set[str]:
    return set(shown_metrics())


async def _page() -> str:
    async def answers() -> None: ...

    backends = memory_backends(ManualClock(NOW))
    redis = Probe(name="redis", check=answers, vital=False)
    backends = evolve(backends, probes=(*backends.probes, redis), clock_jump=lambda: timedelta())
    registry = CollectorRegistry()
    hooks = PrometheusHooks(registry)
    assembly = Assembly(backends, Settings(), secret_key="s" * 32, hooks=hooks, random=Random(1))
    metrics = assembly.metrics(registry)
    assembly.services(metrics)
    metrics.show_sends(lambda: 0, 1)
    return (await metrics.render()).decode()

"""What a leader looks after beside planning: dead workers, old records, the rules of time zones, wrong clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from cronhook_core.engine.background import BackgroundLoop
from cronhook_core.engine.pruner import Pruner
from cronhook_core.engine.reaper import Reaper
from cronhook_core.engine.wrong_clock import WrongClock
from cronhook_core.engine.zone_rules import ZoneRules
from cronhook_core.ports.clock import Clock
from cronhook_core.ports.engine_hooks import EngineHooks
from cronhook_core.ports.job_store import JobStore


def upkeep_loops(
    store: JobStore,
    *,
    clock: Clock,
    hooks: EngineHooks,
    retention: timedelta,
    zone_rules: str,
    leads: Callable[[], bool],
    cleans_up: Callable[[], bool],
    moved: Callable[[], None],
    clock_jumps: Callable[[], bool],
) -> list[BackgroundLoop]:
    """One loop each. ``cleans_up``: whether this node buries and prunes now; ``moved``: after instants moved.

    ``clock_jumps``: whether the clock refuses a jump of the server that it follows.
    """
    reaper = Reaper(store, clock=clock, hooks=hooks, leads=cleans_up)
    pruner = Pruner(store, clock=clock, hooks=hooks, leads=cleans_up, retention=retention, clock_jumps=clock_jumps)
    rules = ZoneRules(store, zone_rules, clock=clock, hooks=hooks, leads=leads, moved=moved)
    wrong_clock = WrongClock(store, clock=clock, hooks=hooks, leads=leads, moved=moved)
    return [
        BackgroundLoop("reaper", reaper.run_once, clock=clock, hooks=hooks),
        BackgroundLoop("pruner", pruner.run_once, clock=clock, hooks=hooks),
        BackgroundLoop("zone rules", rules.run_once, clock=clock, hooks=hooks),
        BackgroundLoop("wrong clock", wrong_clock.run_once, clock=clock, hooks=hooks),
    ]

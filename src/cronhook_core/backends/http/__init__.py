"""Sending over HTTP: aiohttp, behind a guard that judges every address. Needs the extra ``webhooks``."""

from __future__ import annotations

from importlib.util import find_spec

from cronhook_core.errors import MissingDependency

for _module in ("aiohttp", "aiodns"):
    if find_spec(_module) is None:
        raise MissingDependency("webhooks", _module)

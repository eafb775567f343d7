"""The command line with failpoints: ``CRONHOOK_FAILPOINTS=… python -m cronhook_server.testing.failpoints up``.

Only this module reads that variable. It puts the failpoints before the backends that the composition opens, and then
runs the command line as it is; a process that was started in any other way has no failpoints in it at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import evolve

from cronhook_core.ports.webhook_sender import WebhookSender
from cronhook_core.testing.failpoints import Failpoints, read_failpoints
from cronhook_server import composition
from cronhook_server.composition import Backends

VARIABLE = "CRONHOOK_FAILPOINTS"


def enable(failpoints: Failpoints) -> None:
    """Put failpoints before all that this process will open.

    Raises ``RuntimeError`` when some module already took the functions that open it: that one would go without.
    """
    originals = composition.open_backends, composition.open_sender
    _check_not_taken(originals)

    @asynccontextmanager
    async def open_backends(*arguments: Any, **named: Any) -> AsyncIterator[Backends]:
        async with originals[0](*arguments, **named) as backends:
            yield evolve(
                backends,
                store=failpoints.wrap("store", backends.store),
                accounts=failpoints.wrap("accounts", backends.accounts),
                queue=failpoints.wrap("queue", backends.queue),
                lock=failpoints.wrap("lock", backends.lock),
                rate_limiter=failpoints.wrap("limiter", backends.rate_limiter),
            )

    @asynccontextmanager
    async def open_sender(*arguments: Any, **named: Any) -> AsyncIterator[WebhookSender]:
        async with originals[1](*arguments, **named) as sender:
            yield failpoints.wrap("sender", sender)

    vars(composition).update(open_backends=open_backends, open_sender=open_sender)


def _check_not_taken(functions: tuple[object, ...]) -> None:
    ours = {name: module for name, module in sys.modules.items() if name.startswith("cronhook_server.")}
    takers = [
        name
        for name, module in ours.items()
        if module is not composition and any(value is taken for value in vars(module).values() for taken in functions)
    ]
    if takers:
        raise RuntimeError(f"failpoints come too late for {', '.join(sorted(takers))}")


def main() -> None:
    """Ends with exit code 2 and one readable line where the failpoints are missing or mean nothing."""
    try:
        failpoints = read_failpoints(os.environ.get(VARIABLE, ""))
        if not failpoints:
            raise ValueError("names no failpoint: use the plain command")
    except ValueError as error:
        sys.stderr.write(f"{VARIABLE}: {error}\n")
        sys.exit(2)
    enable(Failpoints(failpoints))
    from cronhook_server.cli import main as command_line  # only now, so that it finds the failpoints

    command_line()


if __name__ == "__main__":
    main()

"""``cronhook demo``"""

from __future__ import annotations

import asyncio
import signal
import sys

import rich_click as click

from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.failure import complain
from cronhook_server.cli.output import console
from cronhook_server.demo.story import NotSeen, tell
from cronhook_server.process import run


@click.command("demo")
def command() -> None:
    """Watch a one-time job fail and be retried, a cron job, their signatures and their log, in ten seconds.

    Everything is real and happens on this machine, in a temporary folder that is removed at the end.

    \b
    Example:
      cronhook demo
    """
    try:
        run(_play())
    except NotSeen as reason:
        complain(str(reason))
        sys.exit(ExitCode.FAILED)


async def _play() -> None:
    """Also a SIGTERM leaves nothing behind."""
    telling = asyncio.ensure_future(tell(console()))
    terminated = asyncio.Event()

    def terminate() -> None:
        terminated.set()
        telling.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    try:
        await telling
    except asyncio.CancelledError:
        if not terminated.is_set():  # Ctrl-C
            raise
        raise NotSeen("the demo was stopped") from None

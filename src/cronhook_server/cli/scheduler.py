"""``cronhook scheduler``"""

from __future__ import annotations

import os

import rich_click as click

from cronhook_server.daemon import run_scheduler
from cronhook_server.logs import configure_logging
from cronhook_server.process import run
from cronhook_server.settings import Settings


@click.command("scheduler")
def command() -> None:
    """Plan what is due; of several schedulers one leads.

    Any number may run on one database: one leads, another takes over when it stops or dies. SIGTERM hands the lead over
    at once. Serves /livez and /metrics on CRONHOOK_METRICS_PORT.

    \b
    Example:
      CRONHOOK_METRICS_PORT=9101 cronhook scheduler
    """
    settings = Settings.read(os.environ)
    configure_logging(settings.log_format)
    run(run_scheduler(settings))

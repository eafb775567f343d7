"""``cronhook api``"""

from __future__ import annotations

import os

import rich_click as click

from cronhook_server.daemon import run_api
from cronhook_server.logs import configure_logging
from cronhook_server.process import run
from cronhook_server.settings import Settings


@click.command("api")
def command() -> None:
    """Serve the HTTP API.

    Any number may run on one database, behind a balancer. SIGTERM lets requests under way end; a second one ends at
    once.

    \b
    Example:
      CRONHOOK_HOST=0.0.0.0 cronhook api
    """
    settings = Settings.read(os.environ)
    configure_logging(settings.log_format, lines_together=True)
    run(run_api(settings))

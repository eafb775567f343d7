"""``cronhook worker``"""

from __future__ import annotations

import os

import rich_click as click

from cronhook_server.daemon import run_worker
from cronhook_server.logs import configure_logging
from cronhook_server.process import run
from cronhook_server.settings import Settings


@click.command("worker")
def command() -> None:
    """Send what is due.

    Any number may run on one database. SIGTERM lets sends under way end within CRONHOOK_DRAIN_TIMEOUT_SECONDS; a second
    one ends at once. Serves /livez and /metrics on CRONHOOK_METRICS_PORT.

    \b
    Example:
      CRONHOOK_WORKER_CONCURRENCY=200 CRONHOOK_METRICS_PORT=9102 cronhook worker
    """
    settings = Settings.read(os.environ)
    configure_logging(settings.log_format)
    run(run_worker(settings))

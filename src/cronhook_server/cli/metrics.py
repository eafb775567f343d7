"""``cronhook metrics``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import rich_click as click

from cronhook_server.cli.api_client import with_keyless_client

if TYPE_CHECKING:
    from cronhook_client import Cronhook


@click.command("metrics")
@with_keyless_client
def command(client: Cronhook) -> None:
    """Print the server's metrics, as the text that Prometheus reads.

    \b
    Example:
      cronhook metrics | grep cronhook_queue
    """
    sys.stdout.write(client.health.metrics())

"""``cronhook openapi``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from cronhook_server.cli.api_client import with_keyless_client
from cronhook_server.cli.output import print_json

if TYPE_CHECKING:
    from cronhook_client import Cronhook


@click.command("openapi")
@with_keyless_client
def command(client: Cronhook) -> None:
    """Print the OpenAPI document of the API, as JSON.

    \b
    Example:
      cronhook openapi > openapi.json
    """
    print_json(client.health.openapi())

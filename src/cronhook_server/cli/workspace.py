"""``cronhook workspace``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from cronhook_core.wire.converter import to_json
from cronhook_server.cli.api_client import with_client
from cronhook_server.cli.arguments import DURATION
from cronhook_server.cli.ordered_group import HELP_NAMES, OrderedGroup
from cronhook_server.cli.output import OutputFormat, output_option, print_one

if TYPE_CHECKING:
    from cronhook_client import Cronhook


@click.group("workspace", cls=OrderedGroup, context_settings=HELP_NAMES)
def command() -> None:
    """Show the workspace of the API key, its limits and its signing secret.

    \b
    Examples:
      cronhook workspace show
      cronhook workspace rotate-secret --grace 2h
    """


@command.command("show")
@output_option()
@with_client
def show(client: Cronhook, output: OutputFormat) -> None:
    """Show its name, and its limits beside what is used of them.

    \b
    Example:
      cronhook workspace show -o json | jq .usage.jobs
    """
    print_one(to_json(client.workspace.get()), output)


@command.command("secret")
@output_option()
@with_client
def secret(client: Cronhook, output: OutputFormat) -> None:
    """Show the secret that signs webhooks, for their receivers. Needs a key with the scope admin.

    \b
    Example:
      cronhook workspace secret -o json | jq -r .secret
    """
    print_one(to_json(client.workspace.signing_secret()), output)


@command.command("rotate-secret")
@click.option("--grace", type=DURATION, help="How long the old one signs as well, such as 2h; else a day.")
@output_option()
@with_client
def rotate_secret(client: Cronhook, grace: float | None, output: OutputFormat) -> None:
    """Sign with a new secret from now on, and with the old one as well for a while. Needs the scope admin.

    \b
    Example:
      cronhook workspace rotate-secret --grace 2h
    """
    print_one(to_json(client.workspace.rotate_signing_secret(grace_seconds=grace)), output)

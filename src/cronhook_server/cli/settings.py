"""``cronhook settings``"""

from __future__ import annotations

import os

import rich_click as click
from attrs import asdict

from cronhook_server.cli.output import OutputFormat, output_option, print_rows
from cronhook_server.cli.table import wrapping
from cronhook_server.settings import Settings


@click.command("settings")
@output_option()
def command(output: OutputFormat) -> None:
    """Show every setting with its value and where that comes from. Secrets are masked.

    \b
    Example:
      cronhook settings -o json
    """
    rows = [asdict(row) for row in Settings.read(os.environ).shown()]
    print_rows(rows, ("variable", wrapping("value", 20), "source"), output)

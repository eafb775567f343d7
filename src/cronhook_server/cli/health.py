"""``cronhook health``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import rich_click as click

from cronhook_core.wire.converter import to_json
from cronhook_server.cli.api_client import with_keyless_client
from cronhook_server.cli.exit_codes import ExitCode
from cronhook_server.cli.output import OutputFormat, output_option, print_json, print_line, print_table, print_text

if TYPE_CHECKING:
    from cronhook_client import Cronhook


@click.command("health")
@click.option("--live", "asked", flag_value="live", help="Only whether the process answers (/livez).")
@click.option("--ready", "asked", flag_value="ready", help="Whether it can do its work (/readyz).")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; the exit code says it.")
@output_option()
@with_keyless_client
def command(client: Cronhook, asked: str | None, quiet: bool, output: OutputFormat) -> None:
    """Ask the server how it is: exit code 0 when well, 1 when something is failing, 5 when it does not answer.

    \b
    Examples:
      cronhook health
      cronhook health --ready --quiet || echo 'not ready'
    """
    ask = {"live": client.health.live, "ready": client.health.ready}.get(asked or "", client.health.check)
    health = to_json(ask())
    if not quiet:
        _print(health, output)
    if health["status"] == "failing":
        sys.exit(ExitCode.FAILED)


def _print(health: dict[str, object], output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        print_json(health)
    elif output is OutputFormat.JSONL:
        print_line(health)
    else:
        print_text(f"The server is {health['status']}.")
        checks = health["checks"]
        if isinstance(checks, list) and checks:
            print_table(checks, ("name", "status", "latency_ms"))

"""The commands, by name; their modules are imported only when they run, so that help comes at once."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple, cast

import rich_click as click

_LISTING = "cronhook_server.listing"


class _Entry(NamedTuple):
    module: str
    help: str


COMMANDS = {
    "up": _Entry("cronhook_server.cli.up", "Run everything in one process, on a SQLite file."),
    "demo": _Entry("cronhook_server.cli.demo", "Watch jobs being scheduled, retried, signed and logged."),
    "api": _Entry("cronhook_server.cli.api", "Serve the HTTP API."),
    "scheduler": _Entry("cronhook_server.cli.scheduler", "Plan what is due; of several schedulers one leads."),
    "worker": _Entry("cronhook_server.cli.worker", "Send what is due."),
    "keys": _Entry("cronhook_server.cli.keys", "Make, list and revoke API keys."),
    "migrate": _Entry("cronhook_server.cli.migrate", "Bring the database to this version's schema."),
    "settings": _Entry("cronhook_server.cli.settings", "Show the settings in force."),
    "preview": _Entry("cronhook_server.cli.preview", "Show when a cron line would run."),
}


class LazyGroup(click.RichGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        if ctx.meta.get(_LISTING):
            return click.Command(cmd_name, help=entry.help)
        command: click.Command = import_module(entry.module).command
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        ctx.meta[_LISTING] = True
        super().format_help(cast("click.RichContext", ctx), cast("click.RichHelpFormatter", formatter))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cronhook", prog_name="cronhook")
def cli() -> None:
    """Scheduled webhooks that you own.

    Settings come from the environment: see cronhook settings.
    """

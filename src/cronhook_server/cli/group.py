"""The commands, by name; their modules are imported only when they run, so that help comes at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple, cast

import rich_click as click

from cronhook_server.cli.ordered_group import HELP_NAMES

_LISTING = "cronhook_server.listing"
_LOOK_OF_HELP = {
    "commands_before_options": True,
    "max_width": 100,
    "padding_helptext_first_line": (0, 0, 1, 0),
    "style_helptext": "",
    "text_paragraph_linebreaks": "\n\n",
}
_RUN, _USE, _LOOK, _OPERATE = "Run", "Jobs, through the API", "Cron lines, without a server", "Operate"


class _Entry(NamedTuple):
    panel: str
    help: str
    attribute: str = "command"
    module: str | None = None
    """None: the command's name."""


COMMANDS = {
    "up": _Entry(_RUN, "Run everything in one process, on a SQLite file."),
    "demo": _Entry(_RUN, "Watch jobs being scheduled, retried, signed and logged."),
    "api": _Entry(_RUN, "Serve the HTTP API."),
    "scheduler": _Entry(_RUN, "Plan what is due; of several schedulers one leads."),
    "worker": _Entry(_RUN, "Send what is due."),
    "jobs": _Entry(_USE, "Create, list, change, pause, run and delete jobs."),
    "executions": _Entry(_USE, "Look at occurrences of jobs; cancel and replay them."),
    "logs": _Entry(_USE, "Show the attempts of a job, or follow them."),
    "workspace": _Entry(_USE, "Show the workspace, its limits and its signing secret."),
    "keys": _Entry(_USE, "Make, list, rotate and revoke API keys, in the database too."),
    "health": _Entry(_USE, "Ask the server how it is."),
    "metrics": _Entry(_USE, "Print the server's metrics."),
    "openapi": _Entry(_USE, "Print the OpenAPI document of the API."),
    "preview": _Entry(_LOOK, "Show when a cron line would run."),
    "lint": _Entry(_LOOK, "Say what the lines of a crontab mean, and what will surprise."),
    "doctor": _Entry(_OPERATE, "Check the installation, and say what to do."),
    "settings": _Entry(_OPERATE, "Show the settings in force."),
    "migrate": _Entry(_OPERATE, "Bring the database to this version's schema."),
    "backup": _Entry(_OPERATE, "Copy the SQLite file while everybody works on."),
    "completion": _Entry(_OPERATE, "Print what completes commands in your shell."),
}


class LazyGroup(click.RichGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        if ctx.meta.get(_LISTING):
            return click.RichCommand(name=cmd_name, help=entry.help, panel=entry.panel)
        module = import_module(f"cronhook_server.cli.{entry.module or cmd_name}")
        return cast("click.Command", getattr(module, entry.attribute))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        ctx.meta[_LISTING] = True
        super().format_help(cast("click.RichContext", ctx), cast("click.RichHelpFormatter", formatter))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """The names of the commands come without loading one."""
        ctx.meta[_LISTING] = True
        return super().shell_complete(ctx, incomplete)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.RichContext:
        with _broken_pipe_told_apart():
            return cast("click.RichContext", super().make_context(info_name, args, parent, **extra))

    def invoke(self, ctx: click.Context) -> Any:
        with _broken_pipe_told_apart():
            return super().invoke(ctx)


@contextmanager
def _broken_pipe_told_apart() -> Iterator[None]:
    """The library below would end the process with the code of any mistake."""
    try:
        yield
    except BrokenPipeError:
        from cronhook_server.cli.failure import PipeClosed

        raise PipeClosed from None


@click.group(cls=LazyGroup, context_settings=HELP_NAMES)
@click.rich_config(_LOOK_OF_HELP)
@click.version_option(package_name="cronhook", prog_name="cronhook")
def cli() -> None:
    """Scheduled webhooks that you own.

    Settings of a server come from the environment: see cronhook settings. Commands that use one find it by
    CRONHOOK_BASE_URL and CRONHOOK_API_KEY. Each command shows examples with --help.
    """

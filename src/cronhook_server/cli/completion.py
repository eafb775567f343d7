"""``cronhook completion``"""

from __future__ import annotations

import rich_click as click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what completes commands and options in your shell.

    \b
    Examples:
      source <(cronhook completion bash)              # in ~/.bashrc
      cronhook completion zsh > ~/.zfunc/_cronhook    # with fpath+=~/.zfunc
      cronhook completion fish > ~/.config/fish/completions/cronhook.fish
    """
    from cronhook_server.cli.group import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(kind(cli, {}, "cronhook", "_CRONHOOK_COMPLETE").source())
